"""One made rollout whose candidate begins to fail, as a guard sees it: how long until the verdict.

The users are the simulation's, with 100,000 requests a day on a working day from nine; two pods count them, each is
scraped in its own time, and the guard looks in its own. Its queries, gates and limits are the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy

from bench.first_minute.scraped import Scraped, Series
from sluice.local.folders import PROJECT
from sluice.registry import Registry, load_environment
from sluice.rollout.guard.gates_court import GatesCourt
from sluice.rollout.guard.loop import Watched
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.simulation.study import CANDIDATES, VOLUMES
from sluice.rollout.simulation.traffic import DAY, Traffic
from sluice.rollout.wanted import Wanted

BEGAN = datetime(2025, 11, 5, 9, tzinfo=UTC)
NAMESPACE, AGENT, WEIGHT_PERCENT = "made", "qa", 10
PATIENCE_SECONDS = 300
"""For so long it is waited for a verdict."""

_PODS = 2
_KNOWN_BEFORE = 600
"""For so many seconds before the rollout the pods were scraped: nobody was on a candidate."""

_ANSWERED_BEFORE = 10_000
_ALL_FAIL = next(one for one in CANDIDATES if one.error_rate == 1)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two scrapes, between two looks of the guard, and until another one at a suspect."""

    scrape: int
    look: int
    again: int


@dataclass(frozen=True, slots=True)
class _Counter:
    """One counter of one pod: when it rose, in seconds since the rollout began, and what it stood at before."""

    labels: Mapping[str, str]
    rose_at: numpy.ndarray
    before: int = 0

    def scraped(self, at: numpy.ndarray) -> Series:
        values = self.before + numpy.searchsorted(self.rose_at, at, side="right")
        return Series(self.labels, _moments(at), values.tolist())


@dataclass(frozen=True, slots=True)
class Failing:
    """The rollout of this number: its candidate is as good as the baseline for a while, and then always fails."""

    number: int
    good_seconds: int

    def seconds_until_verdict(self, paces: Sequence[Pace]) -> list[float | None]:
        """Return for each pace how long after it begins to fail it is sent back; None where that takes too long."""
        counters = self._counters()
        return [self._looked_at(self._scraped(counters, pace.scrape), pace) for pace in paces]

    def scraped(self, every: int) -> Scraped:
        """Return what Prometheus has of it that scrapes so often."""
        return self._scraped(self._counters(), every)

    def _scraped(self, counters: Mapping[str, Sequence[_Counter]], every: int) -> Scraped:
        phases = numpy.random.default_rng((self.number, 1)).random(_PODS)
        until = self.good_seconds + PATIENCE_SECONDS
        at = {_pod(pod): numpy.arange(phase * every - _KNOWN_BEFORE, until, every) for pod, phase in enumerate(phases)}
        series = {metric: [one.scraped(at[one.labels["pod"]]) for one in of] for metric, of in counters.items()}
        for pod, when in at.items():
            labels = {"namespace": NAMESPACE, "pod": pod, "agent": AGENT, "kind": "served"}
            weights = numpy.where(when >= 0, WEIGHT_PERCENT, 0)
            series.setdefault("sluice_rollout_weight", []).append(Series(labels, _moments(when), weights.tolist()))
        return Scraped(series)

    def _counters(self) -> dict[str, list[_Counter]]:
        how = replace(_ALL_FAIL, begins_day=self.good_seconds / DAY)
        traffic = Traffic(how, VOLUMES[1].requests_per_day, VOLUMES[1].users, self.number)
        day = traffic.day(0)
        count = int(numpy.searchsorted(day.seconds, self.good_seconds + PATIENCE_SECONDS))
        seconds, user = day.seconds[:count], day.user[:count]
        on_candidate = traffic.draw[user] * 100 < WEIGHT_PERCENT
        failed = numpy.where(on_candidate, day.candidate_failed[:count], day.baseline_failed[:count])
        met = numpy.flatnonzero(failed)
        is_first = numpy.zeros(count, bool)
        is_first[met[numpy.unique(user[met], return_index=True)[1]]] = True
        by_pod = numpy.random.default_rng((self.number, 2)).integers(_PODS, size=count)
        requests, users = [], []
        for pod in range(_PODS):
            for arm, mine, ends in (("candidate", on_candidate, "fallback"), ("baseline", ~on_candidate, "error")):
                here = mine & (by_pod == pod)
                labels = {"namespace": NAMESPACE, "pod": _pod(pod), "agent": AGENT, "arm": arm}
                before = _ANSWERED_BEFORE if arm == "baseline" else 0
                requests.append(_Counter({**labels, "outcome": "ok"}, seconds[here & ~failed], before))
                requests.append(_Counter({**labels, "outcome": ends}, seconds[here & failed]))
                users.append(_Counter(labels, seconds[here & is_first]))
        return {"sluice_requests_total": requests, "sluice_failing_users_total": users}

    def _looked_at(self, scraped: Scraped, pace: Pace) -> float | None:
        court, watched = _court(scraped)
        # A guard that has looked for a while knows when the rollout began.
        begins = max(0, self.good_seconds - 60)
        round_at = begins + float(numpy.random.default_rng((self.number, 3)).random()) * pace.look
        at = round_at
        while at <= self.good_seconds + PATIENCE_SECONDS:
            ruling = court.judge(watched, BEGAN + timedelta(seconds=at))
            if ruling.is_rollback and at >= self.good_seconds:
                return at - self.good_seconds
            if at >= round_at:
                round_at += pace.look
            at = min(round_at, at + pace.again) if ruling.is_suspect else round_at
        return None


def _pod(number: int) -> str:
    return f"pod-{number}"


def _moments(seconds: numpy.ndarray) -> list[float]:
    return [round(BEGAN.timestamp() + one, 3) for one in seconds.tolist()]


def _court(scraped: Scraped) -> tuple[GatesCourt, Watched]:
    registry = _registry()
    candidate = next(name for name in registry.models if name.startswith(f"{AGENT}-"))
    wanted = {AGENT: Wanted(AGENT, WEIGHT_PERCENT, candidate, BEGAN.date())}
    measuring = Measuring(Prometheus("made", send=scraped.send), f'namespace="{NAMESPACE}"')
    return GatesCourt("production", registry, measuring, lambda: wanted), Watched(AGENT, candidate, WEIGHT_PERCENT)


@lru_cache(maxsize=1)
def _registry() -> Registry:
    return load_environment(PROJECT, "production").registry
