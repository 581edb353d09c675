"""What a report is made from: samples of Prometheus, and what the gateway kept, as they were found.

A day is the 24 hours before `ended`, so that the last one ends with the report. What was not measured is None or left
out, and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.rollout.case import Case
from sluice.rollout.measurements import Histogram

ARMS = ("candidate", "baseline")
DIMENSIONS = ("overall", "quality", "relevance", "format", "specificity")
QUANTILES = ("p50", "p95", "p99")
KINDS = ("wanted", "allowed", "served")

Samples = tuple[tuple[datetime, float], ...]
"""Values by time, rising; where a stretch is missing, nothing was scraped."""


@dataclass(frozen=True, slots=True)
class ArmDay:
    """One arm on one day. `outcomes` are its requests by how they ended, `slow` those later than the report's limit."""

    ended: datetime
    outcomes: Mapping[str, float] | None = None
    cost_dollars: float | None = None
    slow: float | None = None
    scores: Mapping[str, Histogram] | None = None
    """Points by dimension."""


@dataclass(frozen=True, slots=True)
class Run:
    """A candidate's way up as it was served: a case of the gates over it, and when it ended, None where it goes on."""

    case: Case
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class AgentMaterial:
    """One agent. `days` go back beyond the report by as much as a moving mean needs."""

    agent: str
    candidate: str | None
    baseline: str
    weights: Mapping[str, Samples]
    """By kind: wanted, allowed, served."""
    overridden: Samples
    days: Mapping[str, tuple[ArmDay, ...]]
    """By arm."""
    latency: Mapping[tuple[str, str], Samples]
    """Seconds by arm and quantile, an hour apart."""
    quantiles_seconds: Mapping[tuple[str, str], float]
    """By arm and quantile, over the whole report."""
    run: Run | None
    forecast_baseline_dollars: float | None
    """What a request to the baseline costs by the registry's traffic and prices."""
    alike: float
    watched_closely: bool = False
    """Whether the registry says that it stands at a threshold."""


@dataclass(frozen=True, slots=True)
class Note:
    """What people or the guard wrote of an override: set by `by`, or lifted where `lifted` is true.

    `candidate` is the one that it held alone, where another ends it; empty where it held every one.
    """

    key: str
    at: datetime
    by: str
    reason: str
    lifted: bool = False
    candidate: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was answered badly, redacted before it was kept."""

    agent: str
    arm: str
    model: str
    at: datetime
    score: float
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Material:
    """Everything of one report. `missing` says in sentences what could not be had at all."""

    environment: str
    since: datetime
    until: datetime
    moving_mean: timedelta
    slow_seconds: float
    agents: tuple[AgentMaterial, ...]
    recorded: Mapping[datetime, float]
    """By the end of a day: the part of it, 0 to 1, that Prometheus recorded."""
    month_spend_dollars: float | None = None
    month_cap_dollars: float | None = None
    notes: tuple[Note, ...] | None = None
    worst: tuple[Query, ...] | None = None
    missing: tuple[str, ...] = ()
