"""Material for reports: an agent with an even week, of which tests change what they are about."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice.rollout.case import Case
from sluice.rollout.measurements import Histogram
from sluice.rollout.report.material import ARMS, DIMENSIONS, AgentMaterial, ArmDay, Material, Run, Samples
from tests.rollout.examples import arm, case, dear, measured, period, scores

UNTIL = datetime(2025, 11, 12, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SINCE = UNTIL - 7 * DAY


def points(mean: float = 8.0, answers: int = 40) -> dict[str, Histogram]:
    half = answers // 2
    one = scores((mean - 0.5, half), (mean + 0.5, answers - half))
    return dict.fromkeys(DIMENSIONS, one)


def day(number: int, **others: Any) -> ArmDay:
    """Make the day that ends so many days before the report does: 100 answers, one an error, at a cent and a half."""
    usual: dict[str, Any] = {
        "outcomes": {"ok": 99.0, "error": 1.0, "fallback": 0.0},
        "cost_dollars": 1.485,
        "slow": 2.0,
        "scores": points(),
    }
    return ArmDay(UNTIL - number * DAY, **(usual | others))


def days(count: int = 13, **others: Any) -> tuple[ArmDay, ...]:
    return tuple(day(number, **others) for number in reversed(range(count)))


def flat(value: float, begin: datetime = SINCE, end: datetime = UNTIL) -> Samples:
    step = timedelta(minutes=5)
    return tuple((begin + number * step, value) for number in range(round((end - begin) / step) + 1))


def agent(**others: Any) -> AgentMaterial:
    weights = {"wanted": flat(10), "allowed": flat(100), "served": flat(10)}
    usual = AgentMaterial(
        agent="qa",
        candidate="qa-20251031",
        baseline="gpt-4o",
        weights=weights,
        overridden=flat(0),
        days={"candidate": days(cost_dollars=0.198), "baseline": days()},
        latency={(one, name): flat(1.0) for one in ARMS for name in ("p50", "p95", "p99")},
        quantiles_seconds={(one, name): 1.0 for one in ARMS for name in ("p50", "p95", "p99")},
        run=run(),
        forecast_baseline_dollars=0.0125,
        alike=0.3,
    )
    return dataclasses.replace(usual, **others)


def run(of: Case | None = None, ended: datetime | None = None) -> Run:
    """Make a way up that went well for three days."""
    good = case(measured(period(arm(700, failed=7), dear(6300, failed=63)))) if of is None else of
    return Run(good, UNTIL - 3 * DAY, ended)


def material(*agents: AgentMaterial, **others: Any) -> Material:
    usual = Material(
        environment="production",
        since=SINCE,
        until=UNTIL,
        moving_mean=7 * DAY,
        slow_seconds=5.0,
        agents=agents or (agent(),),
        recorded={UNTIL - number * DAY: 1.0 for number in range(7)},
        month_spend_dollars=3.2,
        month_cap_dollars=100.0,
        notes=(),
        worst=(),
    )
    return dataclasses.replace(usual, **others)
