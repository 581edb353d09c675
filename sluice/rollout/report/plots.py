"""The drawings of one agent: weight, points by dimension, latency, errors, cost of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sluice.rollout.report.drawing import Axes, Mark, Point, Trace, over_time
from sluice.rollout.report.findings import AgentFindings, Day, Findings
from sluice.rollout.report.material import ARMS, DIMENSIONS, QUANTILES, Samples
from sluice.rollout.report.moving import Mean

_COLOURS = {"candidate": "#d55e00", "baseline": "#1f83c6"}
_DASHES = {"candidate": "", "baseline": "6 3"}
_KIND_DASHES = {"served": "", "allowed": "2 3", "wanted": "8 4"}
_KIND_COLOURS = {"served": "#d55e00", "allowed": "#009e73", "wanted": "#1f83c6"}
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def weight(report: Findings, agent: AgentFindings) -> str:
    """Draw the weights wanted, allowed and served, with the events."""
    traces = [
        Trace(kind, _KIND_COLOURS[kind], _points(agent.weights.get(kind, ())), _KIND_DASHES[kind], stepped=True)
        for kind in ("wanted", "allowed", "served")
    ]
    axes = _axes(report, timedelta(minutes=16), "percent of users on the candidate", high=100.0, most=100.0)
    return over_time(f"{agent.agent}: weight", axes, traces, marks(agent))


def marks(agent: AgentFindings) -> list[Mark]:
    """Number an agent's events, as the page lists them."""
    return [Mark(event.at, number, event.text) for number, event in enumerate(agent.events, 1)]


def points_of(report: Findings, agent: AgentFindings, dimension: str) -> str:
    """Draw the moving means of both arms in one dimension."""
    traces = [_of_arm(arm, _of_means(agent.arms[arm].means[dimension])) for arm in ARMS]
    days = report.moving_mean.days
    unit = f"points of 10, mean of {days} days"
    axes = Axes(report.since, report.until, _DAY * 1.5, unit, low=None, most=10.0, least_span=1.0)
    return over_time(f"{agent.agent}: {dimension}", axes, traces, marks(agent))


def latency(report: Findings, agent: AgentFindings, quantile: str) -> str:
    """Draw one quantile of both arms."""
    traces = [_of_arm(arm, _points(agent.latency.get((arm, quantile), ()))) for arm in ARMS]
    return over_time(f"{agent.agent}: {quantile.upper()}", _axes(report, _HOUR * 2.5, "seconds"), traces, marks(agent))


def errors(report: Findings, agent: AgentFindings) -> str:
    """Draw the share of errors of each day."""
    traces = [_of_arm(arm, [Point(day.ended, day.error_percent) for day in agent.arms[arm].days]) for arm in ARMS]
    axes = _axes(report, _DAY * 1.5, "percent of answers, by day", high=1.0)
    return over_time(f"{agent.agent}: errors", axes, traces, marks(agent))


def request_cost(report: Findings, agent: AgentFindings) -> str:
    """Draw what a request cost on each day."""

    def cents(days: Sequence[Day]) -> list[Point]:
        return [Point(day.ended, _cents(day.request_cost_dollars)) for day in days]

    traces = [_of_arm(arm, cents(agent.arms[arm].days)) for arm in ARMS]
    return over_time(f"{agent.agent}: a request", _axes(report, _DAY * 1.5, "cents, by day"), traces, marks(agent))


def every(report: Findings, agent: AgentFindings) -> Mapping[str, str]:
    """Return an agent's drawings by name, the most asked for first."""
    return dict(_every(report, agent))


def _every(report: Findings, agent: AgentFindings) -> Iterator[tuple[str, str]]:
    yield "weight", weight(report, agent)
    for dimension in DIMENSIONS:
        yield dimension, points_of(report, agent, dimension)
    for quantile in QUANTILES:
        yield quantile, latency(report, agent, quantile)
    yield "errors", errors(report, agent)
    yield "request-cost", request_cost(report, agent)


def _axes(
    report: Findings,
    gap: timedelta,
    unit: str,
    *,
    high: float = 0.0,
    most: float = float("inf"),
) -> Axes:
    return Axes(report.since, report.until, gap, unit, 0.0, high, most)


def _of_arm(arm: str, points: Sequence[Point]) -> Trace:
    return Trace(arm, _COLOURS[arm], tuple(points), _DASHES[arm])


def _of_means(means: Sequence[Mean]) -> list[Point]:
    return [Point(one.ended, one.mean, one.low, one.high) for one in means]


def _points(samples: Samples) -> tuple[Point, ...]:
    return tuple(_point(at, value) for at, value in samples)


def _point(at: datetime, value: float) -> Point:
    return Point(at, value)


def _cents(dollars: float | None) -> float | None:
    return None if dollars is None else 100 * dollars
