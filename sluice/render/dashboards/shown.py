"""A dashboard as a value: its panels, what each of them asks Prometheus, and how that is drawn.

Queries name metrics without a namespace, as rules do; `scoped` adds `$namespace`, which people choose at the top of
the page. Nothing here knows Grafana: `grafana.py` writes these values down in its words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from sluice.render.alerts.expressions import within
from sluice.render.alerts.panels import Panel

MOST_LINES: Final = 20
"""What a graph draws of agents or models, those that matter most: nobody reads a thousand lines."""

_SELECTOR: Final = re.compile(r"\b(?:sluice[_:][\w:]+(?:\{[^{}]*\})?|\w+\{[^{}]*\})(?:\[[^\]]*\])?")


def highest(expression: str, by: str = "agent") -> str:
    """Return the series of an expression that are highest where the graph ends: the same few all the way.

    `topk` by itself chooses anew at every step, and of a thousand agents draws hundreds within an hour.
    """
    return _chosen_at_the_end("topk", expression, expression, by)


def lowest(expression: str, by: str = "agent") -> str:
    """Return the series of an expression that are lowest where the graph ends."""
    return _chosen_at_the_end("bottomk", expression, expression, by)


def of_highest(expression: str, ranked: str, by: str = "agent") -> str:
    """Return the series of an expression of those whose other one is highest where the graph ends."""
    return _chosen_at_the_end("topk", expression, ranked, by)


def _chosen_at_the_end(chooses: str, expression: str, ranked: str, by: str) -> str:
    at_the_end = _SELECTOR.sub(_at_the_end, ranked)
    return f"{expression} and on ({by}) {chooses}({MOST_LINES}, {at_the_end})"


def _at_the_end(found: re.Match[str]) -> str:
    """Ask for what was last there, so that a graph whose series have ended shows them still."""
    is_range = found[0].endswith("]")
    return f"{found[0]} @ end()" if is_range else f"last_over_time({found[0]}[6h] @ end())"


class Unit(StrEnum):
    """What numbers are of, by Grafana's names."""

    COUNT = "short"
    DOLLARS = "currencyUSD"
    SECONDS = "s"
    DAYS = "d"
    PERCENT = "percent"
    POINTS = "none"
    BYTES = "bytes"
    YES_OR_NO = "bool_yes_no"


class Line(Enum):
    """How a series is drawn: what was measured as a line, what it is held against dashed, in the colour of its weight.

    `EXPECTED` is a number that is neither measured nor a limit: a forecast, a benchmark, what an override allows.
    """

    MEASURED = None
    EXPECTED = "purple"
    GOAL = "green"
    WARNING = "orange"
    CRITICAL = "red"


class Kind(Enum):
    """A graph over time, the same with its lines stacked, or a table of what is now with a row for each agent."""

    GRAPH = "graph"
    STACKED = "stacked"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how its series are called: `{{label}}` in a legend stands for a label's value.

    A graph draws a `unit` that is not its panel's on the right; a table makes a column of each query.
    """

    expression: str
    legend: str
    line: Line = Line.MEASURED
    unit: Unit | None = None

    @property
    def scoped(self) -> str:
        """The expression as Grafana sends it, but for its variables: every metric of ours is of one namespace."""
        return within("$namespace", self.expression)


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel with its place in the page's flow: `width` of 24, and `height` in Grafana's rows of 30 pixels.

    A table has the labels of `columns` before a column for each query; where `leads_to_agent`, an agent's name in it
    opens the agent's dashboard. `no_value` stands where there is nothing to show, and says why.
    """

    panel: Panel
    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = Kind.GRAPH
    columns: tuple[tuple[str, str], ...] = ()
    leads_to_agent: bool = False
    width: int = 12
    height: int = 8
    decimals: int | None = None
    no_value: str | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page: its uid, which links hold, its panels in their order, and whether it is of one agent or of several."""

    uid: str
    title: str
    description: str
    panels: tuple[Shown, ...]
    hours: int = 6
    """How far back it looks when it is opened without a link that says more."""
    chooses_agent: bool = False
    chooses_agents: bool = False
