"""One rollout of made traffic up its ladder, judged by the gates themselves at every look."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy

from sluice.registry import Limits, Step
from sluice.registry.judgement import Judgement
from sluice.registry.policy import MonthBudget
from sluice.rollout.case import Case
from sluice.rollout.errors import RECENT, is_suspect, latest
from sluice.rollout.gates import judge
from sluice.rollout.measurements import (
    SCORE_EDGES,
    SECONDS_EDGES,
    ArmCounts,
    Histogram,
    Measurements,
    Newest,
    Period,
    Recent,
    Users,
)
from sluice.rollout.simulation.traffic import DAY, Requests, Traffic, score_counts, seconds_counts
from sluice.rollout.verdict import Action, Gate

BEGAN = datetime(2025, 11, 5, tzinfo=UTC)
LOOK_SECONDS, AGAIN_SECONDS = 15, 5
"""How often is looked, and how soon again where more of the last requests failed than may: as the guard does."""

_FEW_A_DAY = 2000
"""Up to here it is looked at after an answer of the candidate, at most once an hour: there seldom is one."""

_UNCOUNTED_SECONDS = 60

_DOLLARS = (0.0024, 0.015)


@dataclass(frozen=True, slots=True)
class Climbed:
    """How one rollout ended: rolled back by a gate, graduated, or with a question to a person."""

    rolled_back_by: Gate | None
    ended_days: float
    all_at_days: float | None
    """When everybody was on the candidate."""
    asked_a_person: bool
    users_harmed: int
    """Users whom the candidate answered while it was worse than the baseline."""
    candidate_requests: int


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    failed: int = 0
    failed_users: int = 0
    slow: int = 0
    points: float = 0.0
    scores: numpy.ndarray = field(default_factory=lambda: numpy.zeros(len(SCORE_EDGES) + 1, dtype=int))

    def arm(self, dollars: float) -> ArmCounts:
        return ArmCounts(
            self.requests,
            self.failed,
            self.failed_users,
            Histogram(SCORE_EDGES, tuple(self.scores.tolist()), self.points),
            Histogram(SECONDS_EDGES, seconds_counts(self.slow, self.requests), 0.0),
            self.requests * dollars,
        )


@dataclass(frozen=True, slots=True)
class _Late:
    """The last minutes' requests in their order: when, whether the candidate's, whether failed."""

    seconds: numpy.ndarray
    on_candidate: numpy.ndarray
    failed: numpy.ndarray

    def since(self, second: float) -> _Late:
        first = int(numpy.searchsorted(self.seconds, second, side="right"))
        return _Late(self.seconds[first:], self.on_candidate[first:], self.failed[first:])

    def and_then(self, later: _Late) -> _Late:
        return _Late(
            numpy.concatenate((self.seconds, later.seconds)),
            numpy.concatenate((self.on_candidate, later.on_candidate)),
            numpy.concatenate((self.failed, later.failed)),
        )

    @property
    def counted(self) -> Recent:
        mine, mine_failed = int(self.on_candidate.sum()), int((self.on_candidate & self.failed).sum())
        return Recent(mine, mine_failed, len(self.seconds) - mine, int(self.failed.sum()) - mine_failed)


class Climb:
    """A rollout on its way."""

    def __init__(self, traffic: Traffic, steps: tuple[Step, ...], judgement: Judgement, limits: Limits) -> None:
        self._traffic, self._steps = traffic, steps
        self._case = Case(
            "production", "made", "candidate", "baseline", steps[0].weight_percent, None, BEGAN, steps, limits,
            judgement, MonthBudget(budget_dollars=1e9, cap_dollars=1e9), Measurements(BEGAN),
        )  # fmt: skip
        users = len(traffic.draw)
        self._seen, self._seen_at_step = numpy.zeros((2, users), bool), numpy.zeros((2, users), bool)
        self._has_failed, self._harmed = numpy.zeros(users, bool), numpy.zeros(users, bool)
        self._done: list[Period] = []
        self._period = (0.0, _Counts(), _Counts())
        self._late = _Late(numpy.empty(0), numpy.empty(0, bool), numpy.empty(0, bool))
        self._is_suspect = False
        self._all_at: float | None = None

    def run(self, days: int) -> Climbed:
        """Climb for so many days at most, or until it ends."""
        for number in range(days):
            requests = self._traffic.day(number)
            first = 0
            for now in self._looks(requests, number):
                until = int(numpy.searchsorted(requests.seconds, now, side="right"))
                self._take(requests, first, until, now)
                first = until
                case = self._case_at(now)
                verdict, self._is_suspect = judge(case), is_suspect(case)
                if verdict.asks_a_person:
                    return self._ended(now, None, asked_a_person=True)
                if verdict.action is Action.ROLLBACK:
                    return self._ended(now, next(reason.gate for reason in verdict.why))
                if verdict.graduates:
                    return self._ended(now, None)
                if verdict.action is Action.ADVANCE and verdict.next_weight_percent:
                    self._raise(verdict.next_weight_percent, now)
        return self._ended(days * DAY, None)

    def _looks(self, requests: Requests, number: int) -> Iterator[float]:
        """Yield when the day is looked at; with much traffic less and less often, because each look costs time."""
        now, end = float(number * DAY), float((number + 1) * DAY)
        while now < end:
            if self._traffic.per_day <= _FEW_A_DAY:
                now = min(max(self._next_answer(requests, now), now + 3600), now + 6 * 3600)
                now = math.ceil(now / LOOK_SECONDS) * LOOK_SECONDS
            else:
                every = AGAIN_SECONDS if self._is_looked_at_soon(now) else _seconds_between_looks(now)
                now = (now // every + 1) * every
            now = min(now, end)
            yield now

    def _is_looked_at_soon(self, now: float) -> bool:
        """Say whether the guard looks again at once: of a later step's first minute it would count nothing."""
        began = self._period[0]
        return self._is_suspect and (began == 0 or now - began >= _UNCOUNTED_SECONDS)

    def _next_answer(self, requests: Requests, now: float) -> float:
        first = int(numpy.searchsorted(requests.seconds, now, side="right"))
        on_candidate = self._traffic.draw[requests.user[first:]] * 100 < self._case.weight_percent
        found = numpy.flatnonzero(on_candidate)
        return float(requests.seconds[first + found[0]]) if len(found) else now + DAY

    def _take(self, requests: Requests, first: int, until: int, now: float) -> None:
        """Count what came since the last look."""
        began, mine, theirs = self._period
        if now - began >= DAY:
            self._close(now)
            began, mine, theirs = self._period
        user = requests.user[first:until]
        on_candidate = self._traffic.draw[user] * 100 < self._case.weight_percent
        here = slice(first, until)
        failed = [requests.candidate_failed[here], requests.baseline_failed[here]]
        points = [requests.candidate_points[here], requests.baseline_points[here]]
        slow = [requests.candidate_slow[here], requests.baseline_slow[here]]
        for index, (counts, who) in enumerate(((mine, on_candidate), (theirs, ~on_candidate))):
            fails = failed[index][who]
            answered = points[index][who][~fails]
            counts.requests += len(fails)
            counts.failed += int(fails.sum())
            anew = numpy.unique(user[who][fails])
            counts.failed_users += int((~self._has_failed[anew]).sum())
            self._has_failed[anew] = True
            counts.scores += numpy.array(score_counts(answered))
            counts.points += float(answered.sum())
            counts.slow += int(slow[index][who].sum())
            self._seen[index][user[who]] = True
            self._seen_at_step[index][user[who]] = True
        how = self._traffic.behaviour
        if not how.is_good:
            bad = requests.seconds[here] >= how.begins_day * DAY
            self._harmed[user[on_candidate & bad]] = True
        came = _Late(requests.seconds[here], on_candidate, numpy.where(on_candidate, *failed))
        since = now - RECENT.total_seconds()
        self._late = self._late.since(since).and_then(came.since(since))

    def _case_at(self, now: float) -> Case:
        at = BEGAN + timedelta(seconds=now)
        began, mine, theirs = self._period
        running = Period(
            self._case.weight_percent, BEGAN + timedelta(seconds=began), mine.arm(_DOLLARS[0]), theirs.arm(_DOLLARS[1])
        )
        recent = latest(lambda window: self._late.since(now - window.total_seconds()).counted)
        seen, at_step = self._seen.sum(axis=1), self._seen_at_step.sum(axis=1)
        measured = Measurements(
            at,
            (*self._done, running),
            recent,
            Newest(at, at, at, at),
            Users(int(seen[0]), int(seen[1])),
            Users(int(at_step[0]), int(at_step[1])),
            self._case.weight_percent,
        )
        return dataclasses.replace(self._case, now=at, measurements=measured)

    def _close(self, now: float) -> None:
        began, mine, theirs = self._period
        period = Period(
            self._case.weight_percent, BEGAN + timedelta(seconds=began), mine.arm(_DOLLARS[0]), theirs.arm(_DOLLARS[1])
        )
        self._done.append(period)
        self._period = (now, _Counts(), _Counts())

    def _raise(self, weight: int, now: float) -> None:
        self._close(now)
        self._case = dataclasses.replace(self._case, weight_percent=weight)
        self._seen_at_step[:] = False
        if weight == 100:
            self._all_at = now / DAY

    def _ended(self, now: float, gate: Gate | None, *, asked_a_person: bool = False) -> Climbed:
        requests = self._period[1].requests + sum(period.candidate.requests or 0 for period in self._done)
        return Climbed(gate, now / DAY, self._all_at, asked_a_person, int(self._harmed.sum()), requests)


def _seconds_between_looks(now: float) -> int:
    if now >= DAY:
        return 3600
    return LOOK_SECONDS if now < 900 else 60 if now < 4 * 3600 else 900
