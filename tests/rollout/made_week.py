"""Two weeks of made history, as Prometheus would have scraped and recorded it: five agents whose truth is known.

Counters are scraped and counts recorded once an hour, all of the hour's at once: sums over days come out the same as
from a sample each thirty seconds, and the text stays small. What is recorded follows from what is counted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluice.rollout import SCORE_EDGES, SECONDS_EDGES

UNTIL = datetime(2025, 11, 13, tzinfo=UTC)
HOURS = 14 * 24
NAMESPACE = "sluice-production"
_SEEN_BEFORE = timedelta(minutes=2, seconds=30)
"""How long before the full hour its samples were taken: neither stale at it, nor in two tiles of five minutes."""

_DIMENSIONS = {"overall": 0.0, "quality": 0.1, "relevance": 0.3, "format": 0.6, "specificity": -1.2}
_SPREAD = ((-0.8, 0.25), (0.0, 0.5), (0.8, 0.25))

Sample = tuple[float, float]


@dataclass(frozen=True)
class MadeArm:
    """One arm: shares are of 1. `points` None stands for answers that nobody scored and no series either."""

    points: float | None = 8.0
    errors: float = 0.01
    late: float = 0.02
    dollars: float = 0.015


@dataclass(frozen=True)
class MadeAgent:
    """One agent: requests an hour, what each arm is worth, and the weight by hours before the end, the oldest first."""

    requests: float
    candidate: MadeArm
    baseline: MadeArm = MadeArm()
    steps: tuple[tuple[int, int], ...] = ()
    overridden_from: int | None = None

    def wanted(self, before: float) -> int:
        """Return what git wanted so many hours before the end."""
        return next((weight for since, weight in reversed(self.steps) if before <= since), 0)

    def is_overridden(self, before: float) -> bool:
        return self.overridden_from is not None and before <= self.overridden_from

    def served(self, before: float) -> int:
        return 0 if self.is_overridden(before) else self.wanted(before)


_CHEAP = MadeArm(points=8.1, dollars=0.002)
AGENTS: Mapping[str, MadeAgent] = {
    # As good, and cheaper: 10, 25, then 50 %.
    "qa": MadeAgent(60, _CHEAP, steps=((7 * 24 - 1, 10), (5 * 24, 25), (3 * 24, 50))),
    # Half the points, and sent back by the guard two days before the end.
    "content": MadeAgent(40, MadeArm(points=5.0, dollars=0.002), steps=((4 * 24, 10),), overridden_from=48),
    # So little traffic that nothing can be told.
    "legal": MadeAgent(1, _CHEAP, steps=((3 * 24, 10),)),
    # Nobody on a candidate.
    "support": MadeAgent(30, _CHEAP),
    # As good as it seems, but its answers are not scored.
    "analyst": MadeAgent(30, MadeArm(points=None, dollars=0.002), steps=((6 * 24, 25),)),
}


@dataclass
class MadeWeek:
    """Samples by series. `outage` are the hours before the end in which nothing was scraped or recorded."""

    until: datetime = UNTIL
    agents: Mapping[str, MadeAgent] = field(default_factory=lambda: AGENTS)
    outage: tuple[int, int] = (0, 0)
    series: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def write(self, file: Path) -> None:
        """Write it as promtool reads it."""
        self._make()
        with file.open("w") as text:
            for name in sorted(self.series):
                text.writelines(f"{name} {value:.10g} {at:.3f}\n" for at, value in self.series[name])
            text.write("# EOF\n")

    def _make(self) -> None:
        counters: dict[str, float] = defaultdict(float)
        for hour in range(HOURS + 1):
            before = HOURS - hour
            at = self.until - timedelta(hours=before) - _SEEN_BEFORE
            everybody = 0.0
            for name, agent in self.agents.items():
                for arm, made in (("candidate", agent.candidate), ("baseline", agent.baseline)):
                    served = agent.served(before + 0.5)
                    share = served / 100 if arm == "candidate" else 1 - served / 100
                    count = agent.requests * share if hour else 0.0
                    everybody += count
                    self._arm(counters, at, before, name, arm, made, count)
            self._set("sluice_spend_dollars", at, before, 0.05 * hour, agent="all", models="fine_tuned", window="month")
            self._five_minutes(before, everybody / 12)

    def _five_minutes(self, before: int, each: float) -> None:
        for tile in range(12):
            hours = before + 1 - (tile + 1) / 12
            at = self.until - timedelta(hours=hours) - timedelta(seconds=30)
            self._set("sluice:all_answers:increase5m", at, hours, each, agent="all")
            for name, agent in self.agents.items():
                weights = {"wanted": agent.wanted(hours), "served": agent.served(hours)}
                weights["allowed"] = 0 if agent.is_overridden(hours) else 100
                for kind, weight in weights.items():
                    self._set("sluice_rollout_weight", at, hours, weight, agent=name, kind=kind, pod="gateway-1")
                active = float(agent.is_overridden(hours))
                self._set("sluice_override_active", at, hours, active, agent=name, pod="gateway-1")

    def _arm(
        self, counters: dict[str, float], at: datetime, before: float, agent: str, arm: str, made: MadeArm, count: float
    ) -> None:
        about = {"agent": agent, "arm": arm}

        def counted(metric: str, recorded: str | None, more: float, **labels: str) -> None:
            name = _series(metric, pod="gateway-1", **about, **labels)
            counters[name] += more
            whole = metric.endswith(("_dollars_total", "_sum"))
            self._add(name, at, before, counters[name] if whole else math.floor(counters[name] + 1e-6))
            if recorded:
                # Not near midnight, where a tile counts for the day before and the day after.
                self._set(recorded, at - timedelta(minutes=30), before, more, **about, **labels)

        outcomes = {"ok": count * (1 - made.errors), "error": count * made.errors, "fallback": 0.0}
        for outcome, more in outcomes.items():
            counted("sluice_requests_total", "sluice:answers:increase5m", more, outcome=outcome)
        counted("sluice_cost_dollars_total", "sluice:cost_dollars:increase5m", outcomes["ok"] * made.dollars)
        times = ((0.9, count * (1 - made.late)), (6.0, count * made.late))
        bucket = ("sluice_request_duration_seconds_bucket", "sluice:duration_bucket:increase5m")
        for edge, below in _cumulated(SECONDS_EDGES, times):
            counted(*bucket, below, le=edge)
        counted("sluice_request_duration_seconds_sum", None, sum(value * more for value, more in times))
        counted("sluice_request_duration_seconds_count", None, count)
        if count:
            for quantile, seconds in {"p50": 0.9, "p95": 0.98, "p99": 6.0}.items():
                self._set(f"sluice:duration_seconds:{quantile}", at, before, seconds, **about)
        if made.points is None:
            return
        for dimension, shift in _DIMENSIONS.items():
            scored = [(made.points + shift + off, outcomes["ok"] * part) for off, part in _SPREAD]
            for edge, below in _cumulated(SCORE_EDGES, scored):
                counted("sluice_quality_score_bucket", None, below, dimension=dimension, le=edge)
            points = sum(value * more for value, more in scored)
            counted("sluice_quality_score_sum", None, points, dimension=dimension)
            counted("sluice_quality_score_count", None, outcomes["ok"], dimension=dimension)

    def _set(self, metric: str, at: datetime, before: float, value: float, **labels: str) -> None:
        self._add(_series(metric, **labels), at, before, value)

    def _add(self, name: str, at: datetime, before: float, value: float) -> None:
        first, last = self.outage
        if not last <= before < first:
            self.series[name].append((at.timestamp(), value))


def _series(metric: str, **labels: str) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in {"namespace": NAMESPACE, **labels}.items())
    return f"{metric}{{{inside}}}"


def _cumulated(edges: tuple[float, ...], values: tuple[Sample, ...] | list[Sample]) -> Iterator[tuple[str, float]]:
    for edge in (*edges, float("inf")):
        shown = "+Inf" if edge == float("inf") else str(float(edge))
        yield shown, sum(more for value, more in values if value <= edge)
