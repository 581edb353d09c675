"""The few pieces of PromQL and of its templates that rules are written from.

Counts are over all replicas. Long windows are tiled from counts of five minutes: with a thousand agents, three days of
raw samples would be too much to read every minute.
"""

from __future__ import annotations

import re
from typing import Final

TILE: Final = "5m"
RAW_WINDOWS: Final = ("5m", "30m", "1h")

LEAST_BAD: Final = 3
"""Fewer bad answers than this say nothing of a rate: at four requests an hour, one of them is 25 percent."""

_METRIC = re.compile(r"\b(sluice[_:][a-zA-Z0-9_:]+)(\{)?")


def limit(name: str) -> str:
    """Return the threshold of that name, by agent: replicas all show the same."""
    return f'max by (agent) (sluice_threshold{{name="{name}"}})'


def tiled(series: str, window: str) -> str:
    """Return the sum of a five-minute count over a longer window."""
    return f"sum_over_time({series}[{window}:{TILE}])"


def percent_of(part: str, whole: str) -> str:
    """Return the share of one count in another, by agent."""
    return f"100 * sum by (agent) ({part}) / (sum by (agent) ({whole}) > 0)"


def within(namespace: str, expression: str) -> str:
    """Return an expression whose every metric is of one namespace: a Prometheus may see several environments."""

    def scoped(found: re.Match[str]) -> str:
        return f'{found[1]}{{namespace="{namespace}"' + (", " if found[2] else "}")

    return _METRIC.sub(scoped, expression)


def shown_limit(name: str) -> str:
    """Return what puts the agent's threshold into a text; an alert that joins it never fires without it."""
    query = f"sluice_threshold{{agent='%s', name='{name}', namespace='NAMESPACE'}}"
    return f'{{{{ with printf "{query}" $labels.agent | query }}}}{{{{ . | first | value }}}}{{{{ end }}}}'
