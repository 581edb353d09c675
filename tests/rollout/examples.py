"""Cases for the tests of the gates: a rollout that is going well, and ways in which it is not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice.registry import Limits, Step
from sluice.registry.judgement import Judgement
from sluice.registry.policy import MonthBudget
from sluice.rollout import SCORE_EDGES, SECONDS_EDGES, ArmCounts, Case, Histogram, Measurements, Newest, Period, Users

NOW = datetime(2025, 11, 12, 12, tzinfo=UTC)
STEPS = tuple(Step(weight, timedelta(days=days)) for weight, days in ((10, 2), (25, 2), (50, 2), (100, 1)))


def histogram(edges: tuple[float, ...], *values: tuple[float, int]) -> Histogram:
    """Make a histogram of values, each so many times."""
    counts = [0] * (len(edges) + 1)
    for value, times in values:
        counts[sum(1 for edge in edges if edge < value)] += times
    return Histogram(tuple(edges), tuple(counts), float(sum(value * times for value, times in values)))


def scores(*values: tuple[float, int]) -> Histogram:
    return histogram(SCORE_EDGES, *values)


def seconds(*values: tuple[float, int]) -> Histogram:
    return histogram(SECONDS_EDGES, *values)


def arm(requests: int, *, failed: int = 0, failed_users: int | None = None, **others: Any) -> ArmCounts:
    """Make an arm that does well: points about 8, a second an answer, a fifth of a cent a request."""
    third = requests // 3
    usual: dict[str, Any] = {
        "scores": scores((7.2, third), (8.2, requests - 2 * third), (8.8, third)),
        "seconds": seconds((0.9, requests)),
        "cost_dollars": 0.002 * requests,
    }
    return ArmCounts(requests, failed, failed if failed_users is None else failed_users, **(usual | others))


def period(
    candidate: ArmCounts, baseline: ArmCounts, *, weight: int = 10, began: datetime = NOW - timedelta(days=3)
) -> Period:
    return Period(weight, began, candidate, baseline)


def dear(requests: int, **others: Any) -> ArmCounts:
    """Make an arm that costs what a baseline does."""
    return arm(requests, **({"cost_dollars": 0.015 * requests} | others))


def measured(*periods: Period, **others: Any) -> Measurements:
    usual: dict[str, Any] = {"newest": Newest(NOW, NOW, NOW, NOW), "users": Users(100, 900)}
    return Measurements(NOW, tuple(periods), **(usual | others))


def good() -> Measurements:
    """Three days at 10 % without a fault."""
    return measured(period(arm(100, failed=1), dear(900, failed=9)))


def case(measurements: Measurements | None = None, **others: Any) -> Case:
    usual = Case(
        environment="production",
        agent="qa",
        candidate="qa-20251031",
        baseline="gpt-4o",
        weight_percent=10,
        since=NOW - timedelta(days=3),
        now=NOW,
        steps=STEPS,
        limits=Limits(),
        judgement=Judgement(),
        month=MonthBudget(),
        measurements=good() if measurements is None else measurements,
    )
    return dataclasses.replace(usual, **others)
