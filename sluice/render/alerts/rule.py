"""A rule as a value: a recording rule, an alert, and the group in which rules are evaluated one after the other.

Expressions name metrics without a namespace; `rules.py` adds it. In texts, ENV and NAMESPACE stand for the
environment's own, as they do in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from sluice.render.alerts.panels import Panel


class Severity(StrEnum):
    """Critical pages a person, warning makes a ticket; none tells nobody, and only holds other alerts back."""

    CRITICAL = "critical"
    WARNING = "warning"
    NONE = "none"


def _no_labels() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Recording:
    """A series computed from others, under a name by Prometheus' convention: level:metric:operation."""

    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=_no_labels)


@dataclass(frozen=True, slots=True)
class Alert:
    """What is wrong, for how long it must be, and what people read of it.

    `agent` is set where the expression has no agent of its own: such an alert is about all of them. `held` is
    Prometheus' `for`. `description` says numbers and ends with the next command to type.
    """

    name: str
    severity: Severity
    expression: str
    held: str
    summary: str
    description: str
    panel: Panel
    agent: str | None = None
    labels: Mapping[str, str] = field(default_factory=_no_labels)


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated together, in their order, every `interval`."""

    name: str
    interval: str
    rules: tuple[Recording | Alert, ...]
