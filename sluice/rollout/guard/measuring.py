"""Fills in what the gates judge by: counts of both arms, period by period, asked of Prometheus.

A rollout begins where its weight last rose from nothing or fell, or where a person lifted its override, whichever came
last; a period ends where the weight changed or the day did. Periods that are over do not change: they are asked once,
so a round asks for the one that runs. A series that is not there is None, and never 0.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sluice.rollout import (
    SCORE_EDGES,
    SECONDS_EDGES,
    ArmCounts,
    Measurements,
    Newest,
    Period,
    Recent,
    Users,
)
from sluice.rollout.errors import RECENT, latest
from sluice.rollout.guard.loop import Watched
from sluice.rollout.guard.matchers import matchers
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.guard.samples import all_of, histogram, of_arm, of_outcomes, users_per
from sluice.rollout.spent import month_spend

_LOOK_BACK = timedelta(days=30)
_HISTORY_STEP = timedelta(minutes=5)
_CLOSE = timedelta(hours=1)
"""Of so late a time changes are looked for closely: what fell and rose again within minutes is another rollout."""

_CLOSE_STEP = timedelta(seconds=15)
_SEEN_WITHIN = 2 * _HISTORY_STEP
"""A weight that rises is in the history by then."""

_SHORTEST = timedelta(minutes=1)
"""Less than this holds too few scrapes to tell an increase."""

_TWO_SCRAPES = timedelta(seconds=30)
"""What tells an increase at all, where nothing is computed from it but whether most requests failed."""

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A time at one weight. Where nobody was on the candidate for a while before it, what was counted then is none."""

    weight_percent: int
    began: datetime
    ended: datetime
    is_from_nothing: bool = False


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted in one stretch; users are those at their first request of the rollout, and of the step."""

    candidate: ArmCounts
    baseline: ArmCounts
    users: Users | None = None
    users_of_step: Users | None = None


@dataclass(slots=True)
class _History:
    """When a rollout that runs got which weight; not to be believed of one that nobody looked at for a while."""

    changes: list[tuple[datetime, int]]
    is_from_nothing: bool
    """Whether the first of them raised it from 0, where it had been for as long as `RECENT`."""
    looked_at: datetime


@dataclass(slots=True)
class Measuring:
    """Measures agents by one Prometheus. `match` narrows every query down to one environment, as `namespace="x"`."""

    prometheus: Prometheus
    match: str
    _history: dict[tuple[str, str], _History] = field(default_factory=dict)
    _over: OrderedDict[tuple[str, datetime, datetime], _Counted] = field(default_factory=OrderedDict)

    def of(self, watched: Watched, now: datetime) -> Measurements:
        """Measure one agent's rollout by what was known at `now`. Raises CannotSee."""
        return replace(
            self._counted(watched.agent, self._stretches(watched, now), now),
            recent=self._recent(watched, now),
            served_weight_percent=self._served(watched.agent, now),
            month_spend_dollars=month_spend(self.prometheus, self.match, now),
        )

    def between(self, agent: str, changes: Sequence[tuple[datetime, int]], ended: datetime) -> Measurements:
        """Measure one agent from its first change of weight to a moment that may be long past. Raises CannotSee."""
        return self._counted(agent, _stretches_of(changes, ended), ended)

    def lately(self, agent: str, window: timedelta, now: datetime) -> tuple[ArmCounts, ArmCounts]:
        """Count the candidate and the baseline over the time before `now`, whatever the rollout. Raises CannotSee."""
        counted = self._asked(agent, window, now)
        return counted.candidate, counted.baseline

    def _counted(self, agent: str, stretches: Sequence[_Stretch], now: datetime) -> Measurements:
        counted = [(one, self._counts(agent, one, is_over=one is not stretches[-1])) for one in stretches]
        weight = stretches[-1].weight_percent
        return Measurements(
            taken_at=now,
            periods=tuple(
                Period(one.weight_percent, one.began, counts.candidate, counts.baseline) for one, counts in counted
            ),
            users=all_of([counts.users for _, counts in counted]),
            users_of_step=all_of([counts.users_of_step for one, counts in counted if one.weight_percent == weight]),
            newest=self._newest(agent, now),
        )

    def _stretches(self, watched: Watched, now: datetime) -> list[_Stretch]:
        history = self._changes(watched, now)
        changes = [change for change in history.changes if change[0] <= now]
        is_from_nothing = history.is_from_nothing
        # What was lifted long before this rollout began was another's: nobody had users in between.
        if watched.resumed_at is not None and changes[0][0] - watched.resumed_at < _SEEN_WITHIN:
            later = [change for change in changes if change[0] > watched.resumed_at]
            before = [change for change in changes if change[0] <= watched.resumed_at]
            # Of one that rose after it was resumed nothing was served in between, and its first step is its own.
            if before or not later:
                later = [(watched.resumed_at, before[-1][1] if before else watched.weight_percent), *later]
                is_from_nothing = False
            changes = later
        first, *others = _stretches_of(changes, now)
        return [replace(first, is_from_nothing=is_from_nothing), *others]

    def _changes(self, watched: Watched, now: datetime) -> _History:
        """Return when the rollout that runs got which weight, and whether nobody was on its candidate before."""
        key = (watched.agent, watched.candidate)
        known = self._history.get(key)
        is_fresh = known is not None and now - known.looked_at < _SEEN_WITHIN
        if known is not None and is_fresh and known.changes[-1][1] == watched.weight_percent:
            known.looked_at = now
            return known
        changes: list[tuple[datetime, int]] = []
        last, nothing_since, is_from_nothing = 0, math.inf, False
        for at, value in self._weights(watched.agent, now):
            weight = round(value)
            if weight < last:
                changes, nothing_since = [], math.inf  # what fell begins anew
            if weight == 0:
                nothing_since = min(nothing_since, at)
            if weight not in (0, last) or (weight and not changes):
                if not changes:
                    is_from_nothing = at - nothing_since >= RECENT.total_seconds()
                # Prometheus is asked in whole milliseconds, and so may answer for a little later than now.
                changes.append((min(now, datetime.fromtimestamp(at, UTC)), weight))
            last = weight
        if not changes or changes[-1][1] != watched.weight_percent:
            # The pods have it and Prometheus has not seen it yet.
            changes = [one for one in changes if one[1] < watched.weight_percent]
            return _History([*changes, (now, watched.weight_percent)], is_from_nothing and bool(changes), now)
        self._history[key] = _History(changes, is_from_nothing, now)
        return self._history[key]

    def _weights(self, agent: str, now: datetime) -> list[tuple[float, float]]:
        """Return the weights that were served: of days ago every five minutes, of the last hour every scrape."""
        query = f"max(sluice_rollout_weight{self._of(agent, kind='served')})"
        # At the same moments whoever asks when: a step that began later for the next one to look would hold for less.
        close = _floored(now - _CLOSE, _CLOSE_STEP)
        closely = self.prometheus.over(query, close, now, _CLOSE_STEP)
        long_ago = _floored(now - _LOOK_BACK, _HISTORY_STEP)
        return [*self.prometheus.over(query, long_ago, close - _CLOSE_STEP, _HISTORY_STEP), *closely]

    def _counts(self, agent: str, stretch: _Stretch, *, is_over: bool) -> _Counted:
        key = (agent, stretch.began, stretch.ended)
        if is_over and key in self._over:
            return self._over[key]
        window = stretch.ended - stretch.began
        if stretch.is_from_nothing and not is_over and window < RECENT:
            # The candidate had counted nothing before, so a longer look counts it well from its first scrape on. The
            # baseline had, which speaks for the candidate; and how users were drawn is not to be told from it.
            return replace(self._asked(agent, RECENT, stretch.ended), users=None, users_of_step=None)
        if window < _SHORTEST:
            return _Counted(ArmCounts(), ArmCounts())
        counted = self._asked(agent, window, stretch.ended)
        if is_over:
            self._over[key] = counted
            if len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)
        return counted

    def _asked(self, agent: str, window: timedelta, at: datetime) -> _Counted:
        requests = self._increase("sluice_requests_total", agent, window, at, "arm, outcome")
        cost = self._increase("sluice_cost_dollars_total", agent, window, at, "arm")
        overall = {"dimension": "overall"}
        score_buckets = self._increase("sluice_quality_score_bucket", agent, window, at, "arm, le", **overall)
        score_sums = self._increase("sluice_quality_score_sum", agent, window, at, "arm", **overall)
        second_buckets = self._increase("sluice_request_duration_seconds_bucket", agent, window, at, "arm, le")
        second_sums = self._increase("sluice_request_duration_seconds_sum", agent, window, at, "arm")
        users = self._increase("sluice_users_total", agent, window, at, "arm, per")
        failing = self._increase("sluice_failing_users_total", agent, window, at, "arm")

        def of(arm: str) -> ArmCounts:
            counted = of_outcomes(requests, arm)
            return ArmCounts(
                requests=counted[0] if counted else None,
                failed=counted[1] if counted else None,
                failed_users=of_arm(failing, arm),
                scores=histogram(SCORE_EDGES, score_buckets, score_sums, arm),
                seconds=histogram(SECONDS_EDGES, second_buckets, second_sums, arm),
                cost_dollars=next((value for labels, value in cost if labels.get("arm") == arm), None),
            )

        return _Counted(of("candidate"), of("baseline"), users_per("rollout", users), users_per("step", users))

    def _recent(self, watched: Watched, now: datetime) -> Recent | None:
        # What it was sent back for, and lifted from, is no reason to send it back again.
        longest = min(RECENT, now - watched.resumed_at) if watched.resumed_at is not None else RECENT
        if longest < _TWO_SCRAPES:
            return None

        def counted(window: timedelta) -> Recent | None:
            found = self._increase("sluice_requests_total", watched.agent, window, now, "arm, outcome")
            candidate, baseline = of_outcomes(found, "candidate"), of_outcomes(found, "baseline")
            return None if candidate is None or baseline is None else Recent(*candidate, *baseline)

        return latest(counted, longest)

    def _newest(self, agent: str, now: datetime) -> Newest:
        def scraped(metric: str, **labels: str) -> datetime | None:
            query = f"max by (arm) (timestamp({metric}{self._of(agent, **labels)}))"
            by_arm = {found.get("arm"): value for found, value in self.prometheus.now(query, now)}
            arms = [by_arm[arm] for arm in ("candidate", "baseline") if arm in by_arm]
            return datetime.fromtimestamp(min(arms), UTC) if len(arms) == 2 else None

        return Newest(
            errors=scraped("sluice_requests_total"),
            quality=scraped("sluice_quality_score_count", dimension="overall"),
            latency=scraped("sluice_request_duration_seconds_count"),
            cost=scraped("sluice_cost_dollars_total"),
        )

    def _served(self, agent: str, now: datetime) -> int | None:
        found = self.prometheus.now(f"max(sluice_rollout_weight{self._of(agent, kind='served')})", now)
        return round(found[0][1]) if found else None

    def _increase(
        self, metric: str, agent: str, window: timedelta, at: datetime, by: str, **labels: str
    ) -> list[tuple[Mapping[str, str], float]]:
        seconds = max(1, round(window.total_seconds()))
        query = f"sum by ({by}) (increase({metric}{self._of(agent, **labels)}[{seconds}s]))"
        return self.prometheus.now(query, at)

    def _of(self, agent: str, **labels: str) -> str:
        return matchers(self.match, agent=agent, **labels)


def _floored(moment: datetime, step: timedelta) -> datetime:
    """Return the last whole number of steps since 1970 up to a moment."""
    return datetime.fromtimestamp(moment.timestamp() // step.total_seconds() * step.total_seconds(), UTC)


def _stretches_of(changes: Sequence[tuple[datetime, int]], ended: datetime) -> list[_Stretch]:
    found: list[_Stretch] = []
    for (began, weight), (until, _) in zip(changes, [*changes[1:], (ended, 0)], strict=True):
        found += _by_days(weight, began, until)
    return found


def _by_days(weight: int, began: datetime, ended: datetime) -> list[_Stretch]:
    """Cut a time at each midnight by UTC; a first or last piece too short to be measured stays with its neighbour."""
    found: list[_Stretch] = []
    while True:
        midnight = (began + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight - began < _SHORTEST:
            midnight += timedelta(days=1)
        if ended - midnight < _SHORTEST:
            return [*found, _Stretch(weight, began, ended)]
        found.append(_Stretch(weight, began, midnight))
        began = midnight
