"""Asks Prometheus for what a report is made from: recorded series where there are some, counters where there are none.

Agents are asked for five at a time, so that a query ends within seconds, however many there are. What the gates judge
by is asked exactly as the guard asks it, and so is the same number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite

from sluice.registry.forecast import forecast
from sluice.registry.model import Registry, Rollout
from sluice.registry.policy import Watch
from sluice.rollout.case import NoCandidate, case_of
from sluice.rollout.guard.matchers import matchers
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.guard.samples import histogram_of
from sluice.rollout.measurements import SCORE_EDGES, SECONDS_EDGES, Histogram
from sluice.rollout.report.material import (
    ARMS,
    DIMENSIONS,
    KINDS,
    QUANTILES,
    AgentMaterial,
    ArmDay,
    Material,
    Run,
    Samples,
)
from sluice.rollout.report.weights import last_way
from sluice.rollout.spent import month_spend

DAY = timedelta(days=1)
LONGEST = timedelta(days=30)
_AT_ONCE = 5
_WEIGHTS_STEP = timedelta(minutes=5)
_LATENCY_STEP = timedelta(hours=1)
_TILES_A_DAY = 288
_LEAST_ANSWERS = {"p50": 20, "p95": 20, "p99": 100}
_QUANTILE = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

_Labels = Mapping[str, str]
_Table = dict[tuple[str, ...], dict[datetime, float]]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about: the environment as it is declared, `match` as the guard's, and the time."""

    environment: str
    registry: Registry
    rollout: Rollout
    match: str
    until: datetime
    days: int

    @property
    def since(self) -> datetime:
        """When the report begins."""
        return self.until - self.days * DAY


def ask(prometheus: Prometheus, question: Question) -> Material:
    """Ask for all of it. Raises CannotSee where Prometheus cannot be asked; what it does not have is left out."""
    agents = list(question.registry.agents)
    found: list[AgentMaterial] = []
    for first in range(0, len(agents), _AT_ONCE):
        found += _Asking(prometheus, question, agents[first : first + _AT_ONCE]).agents()
    policy = question.registry.report
    return Material(
        environment=question.environment,
        since=question.since,
        until=question.until,
        moving_mean=policy.moving_mean,
        slow_seconds=float(_edge(policy.slow)),
        agents=tuple(found),
        recorded=_recorded(prometheus, question),
        month_spend_dollars=month_spend(prometheus, question.match, question.until),
        month_cap_dollars=question.registry.budgets.month.cap_dollars,
    )


def _recorded(prometheus: Prometheus, question: Question) -> Mapping[datetime, float]:
    series = f"sluice:all_answers:increase5m{matchers(question.match)}"
    last = question.since + DAY
    found = prometheus.over(f"max(count_over_time({series}[1d:5m]))", last, question.until, DAY)
    parts = {datetime.fromtimestamp(at, UTC): min(1.0, count / _TILES_A_DAY) for at, count in found}
    return {last + day * DAY: parts.get(last + day * DAY, 0.0) for day in range(question.days)}


@dataclass(frozen=True, slots=True)
class _Asking:
    prometheus: Prometheus
    question: Question
    names: Sequence[str]

    def agents(self) -> Iterator[AgentMaterial]:
        asked = self.question
        weights = self._samples("max by (agent, kind) (sluice_rollout_weight%s)", LONGEST, _WEIGHTS_STEP, "kind")
        overridden = self._samples("max by (agent) (sluice_override_active%s)", asked.days * DAY, _WEIGHTS_STEP)
        days = self._days()
        latency = {
            quantile: self._samples(
                f"max by (agent, arm) (sluice:duration_seconds:{quantile}%s)",
                asked.days * DAY,
                _LATENCY_STEP,
                "arm",
            )
            for quantile in QUANTILES
        }
        over_all = {quantile: self._over_all(quantile) for quantile in QUANTILES}
        forecasts = {one.agent: one.baseline_request_dollars for one in forecast(asked.registry, asked.rollout)}
        for name in self.names:
            stands, policy = asked.rollout.agents[name], asked.registry.agents[name].policy
            yield AgentMaterial(
                agent=name,
                candidate=stands.candidate,
                baseline=stands.baseline[0],
                weights={kind: _since(weights.get((name, kind), ()), asked.since) for kind in KINDS},
                overridden=overridden.get((name,), ()),
                days={arm: days[name, arm] for arm in ARMS},
                latency={(arm, one): latency[one].get((name, arm), ()) for arm in ARMS for one in QUANTILES},
                quantiles_seconds={
                    (arm, one): over_all[one][name, arm]
                    for arm in ARMS
                    for one in QUANTILES
                    if (name, arm) in over_all[one]
                },
                run=self._run(name, weights.get((name, "served"), ())),
                forecast_baseline_dollars=forecasts.get(name),
                alike=policy.judgement.alike,
                watched_closely=policy.safeguards.watch is Watch.CLOSELY,
            )

    def _run(self, agent: str, served: Samples) -> Run | None:
        asked, way = self.question, last_way(served)
        if way is None or (way.ended is not None and way.ended <= asked.since):
            return None
        ended = way.ended or asked.until
        measured = Measuring(self.prometheus, asked.match).between(agent, way.changes, ended)
        try:
            case = case_of(asked.registry, asked.rollout, agent, measured, ended)
        except NoCandidate:
            return None
        return Run(case, way.changes[0][0], way.ended)

    def _days(self) -> Mapping[tuple[str, str], tuple[ArmDay, ...]]:
        of_day = "sum by (agent, arm%s) (sum_over_time(%s%%s[1d:5m]))"
        outcomes = self._daily(of_day % (", outcome", "sluice:answers:increase5m"), "arm", "outcome")
        cost = self._daily(of_day % ("", "sluice:cost_dollars:increase5m"), "arm")
        times = self._daily(of_day % (", le", "sluice:duration_bucket:increase5m"), "arm", "le")
        scores = self._scores()
        edge = str(float(_edge(self.question.registry.report.slow)))
        return {
            (agent, arm): tuple(
                ArmDay(
                    ended,
                    _by_last(outcomes, (agent, arm), ended),
                    cost.get((agent, arm), {}).get(ended),
                    _above(_by_last(times, (agent, arm), ended), edge),
                    scores.get((agent, arm, ended)),
                )
                for ended in self._ends()
            )
            for agent in self.names
            for arm in ARMS
        }

    def _scores(self) -> Mapping[tuple[str, str, datetime], Mapping[str, Histogram]]:
        """Return the points of each day: by the counters themselves, because no recorded series has their spread."""
        of_day = "sum by (agent, arm, dimension%s) (increase(sluice_quality_score_%s%%s[1d]))"
        buckets = self._daily(of_day % (", le", "bucket"), "arm", "dimension", "le")
        sums = self._daily(of_day % ("", "sum"), "arm", "dimension")
        found: dict[tuple[str, str, datetime], dict[str, Histogram]] = defaultdict(dict)
        for agent in self.names:
            for arm in ARMS:
                for dimension in DIMENSIONS:
                    for ended in self._ends():
                        total = sums.get((agent, arm, dimension), {}).get(ended)
                        by_edge = _by_last(buckets, (agent, arm, dimension), ended) or {}
                        histogram = histogram_of(SCORE_EDGES, by_edge, total)
                        if histogram is not None:
                            found[agent, arm, ended][dimension] = histogram
        return found

    def _over_all(self, quantile: str) -> Mapping[tuple[str, str], float]:
        over = f"sum by (agent, arm%s) (sum_over_time(sluice:duration_bucket:increase5m%s[{self.question.days}d:5m]))"
        answers, times = over % ("", self._match('le="+Inf"')), over % (", le", self._match())
        enough = f"{answers} >= {_LEAST_ANSWERS[quantile]}"
        query = f"histogram_quantile({_QUANTILE[quantile]}, {times}) and on (agent, arm) ({enough})"
        return {
            (labels.get("agent", ""), labels.get("arm", "")): value
            for labels, value in self.prometheus.now(query, self.question.until)
        }

    def _samples(self, query: str, back: timedelta, step: timedelta, *by: str) -> Mapping[tuple[str, ...], Samples]:
        until = self.question.until
        found = self.prometheus.each_over(query % self._match(), until - back, until, step)
        return {
            _key(labels, by): tuple(
                (datetime.fromtimestamp(at, UTC), value) for at, value in samples if isfinite(value)
            )
            for labels, samples in found
        }

    def _daily(self, query: str, *by: str) -> _Table:
        ends = self._ends()
        found = self.prometheus.each_over(query % self._match(), ends[0], ends[-1], DAY)
        return {
            _key(labels, by): {datetime.fromtimestamp(at, UTC): value for at, value in samples if isfinite(value)}
            for labels, samples in found
        }

    def _ends(self) -> list[datetime]:
        """Return the ends of the days, those that a moving mean goes back to among them."""
        before = max(0, self.question.registry.report.moving_mean // DAY - 1)
        days = self.question.days + before
        return [self.question.until - (days - 1 - day) * DAY for day in range(days)]

    def _match(self, more: str = "") -> str:
        return matchers(f'agent=~"{"|".join(self.names)}"', more, self.question.match)


def _key(labels: _Labels, by: Sequence[str]) -> tuple[str, ...]:
    return (labels.get("agent", ""), *(labels.get(name, "") for name in by))


def _by_last(table: _Table, key: tuple[str, ...], at: datetime) -> dict[str, float] | None:
    """Return the values of a moment by the last label, None where there are none."""
    return {each[-1]: values[at] for each, values in table.items() if each[:-1] == key and at in values} or None


def _since(samples: Samples, since: datetime) -> Samples:
    return tuple(sample for sample in samples if sample[0] >= since)


def _edge(slow: timedelta) -> float:
    """Return the edge of the gateway's buckets that is the limit of a slow answer, or the nearest below it."""
    return max((edge for edge in SECONDS_EDGES if edge <= slow.total_seconds()), default=SECONDS_EDGES[0])


def _above(times: Mapping[str, float] | None, edge: str) -> float | None:
    if times is None or edge not in times or "+Inf" not in times:
        return None
    return max(0.0, times["+Inf"] - times[edge])
