"""How far it is to an agent's next step, what it waits for, and when that is likely to be there.

The likely time is asked of the gates themselves: the step that runs is thought on, with as many requests, failures and
points a day as it has had, until they would say yes. What waits for a person, a signature or the end of a freeze, has
no time of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.registry import Ladder
from sluice.rollout.case import Case
from sluice.rollout.gates import judge
from sluice.rollout.measurements import ArmCounts, Histogram, Newest, Period, Users
from sluice.rollout.record import Record
from sluice.rollout.verdict import Action, Gate
from sluice.rollout.view import View, view_of

_HOURS_AHEAD = (
    0.25,
    0.5,
    1,
    2,
    3,
    4,
    6,
    8,
    10,
    12,
    15,
    18,
    21,
    24,
    30,
    36,
    42,
    48,
    60,
    72,
    84,
    96,
    120,
    144,
    168,
    216,
    264,
    336,
)
"""How far it is thought on: two weeks, which is as long as anything that is known now holds."""

_BY_TIME = frozenset({Gate.TIME, Gate.SAMPLE, Gate.ERRORS, Gate.QUALITY, Gate.LATENCY, Gate.COST, Gate.ASSIGNMENT})
"""What more requests or more days can answer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a step waits for, in the gate's words; `likely` is None where time alone does not bring it."""

    gate: Gate
    text: str
    likely: datetime | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes next for an agent, and what stands before it.

    `next_weight_percent` is None where the candidate graduates. `likely` is when everything is there that time brings;
    None where something else is waited for, or where nothing is.
    """

    next_weight_percent: int | None
    waits: tuple[Wait, ...]
    likely: datetime | None

    @property
    def is_ready(self) -> bool:
        """Whether nothing is waited for."""
        return not self.waits


def outlook_of(record: Record) -> Outlook:
    """Look ahead of a judgement; one that rolls back waits for nothing that time could bring."""
    case, verdict = record.case, record.verdict
    following = case.next_weight_percent
    if verdict.action is Action.ADVANCE:
        return Outlook(following, (), None)
    times = _times(case) if verdict.action is Action.HOLD else {}
    waits = tuple(Wait(reason.gate, reason.text, times.get(reason.gate)) for reason in verdict.why)
    known = [wait.likely for wait in waits if wait.likely is not None]
    return Outlook(following, waits, max(known) if len(known) == len(waits) else None)


def _times(case: Case) -> dict[Gate, datetime]:
    """Return when each gate that holds now is likely to hold no longer, of those that time can answer."""
    waiting = {reason.gate for reason in judge(case).why if reason.gate in _BY_TIME}
    found: dict[Gate, datetime] = {}
    began = view_of(case).began
    if began is not None and Gate.TIME in waiting:
        found[Gate.TIME] = began + Ladder(steps=case.steps).hold_at(case.weight_percent)
    for later in _thought_on(case):
        verdict = judge(later)
        if verdict.action is Action.ROLLBACK:
            break
        holding = {reason.gate for reason in verdict.reasons if reason.action is Action.HOLD}
        for gate in waiting - holding - found.keys():
            found[gate] = later.now
    return found


def _thought_on(case: Case) -> Iterator[Case]:
    """Yield the case as it will be if the step goes on as it has so far."""
    view = view_of(case)
    if not view.step:
        return
    lasted = case.now - view.step[0].began
    if lasted <= timedelta():
        return
    for hours in _HOURS_AHEAD:
        more = timedelta(hours=hours)
        factor = (lasted + more) / lasted
        now = case.now + more
        measured = case.measurements
        step = tuple(
            Period(
                one.weight_percent,
                one.began,
                _times_as_much(one.candidate, factor),
                _times_as_much(one.baseline, factor),
            )
            for one in view.step
        )
        yield dataclasses.replace(
            case,
            now=now,
            measurements=dataclasses.replace(
                measured,
                taken_at=now,
                periods=(*view.before, *step),
                newest=_later(measured.newest, more),
                users=_more_users(measured.users, _of_all(view, factor)),
                users_of_step=_more_users(measured.users_of_step, factor),
            ),
        )


def _of_all(view: View, factor: float) -> float:
    """Return by how much the answers of the whole rollout grow, so that a user goes on giving rise to as many."""
    before, step = (sum(one.candidate.requests or 0 for one in periods) for periods in (view.before, view.step))
    return (before + step * factor) / (before + step) if before + step else 1.0


def _times_as_much(arm: ArmCounts, factor: float) -> ArmCounts:
    def counted(value: int | None) -> int | None:
        return None if value is None else round(value * factor)

    return ArmCounts(
        counted(arm.requests),
        counted(arm.failed),
        counted(arm.failed_users),
        _more(arm.scores, factor),
        _more(arm.seconds, factor),
        None if arm.cost_dollars is None else arm.cost_dollars * factor,
    )


def _more(histogram: Histogram | None, factor: float) -> Histogram | None:
    if histogram is None:
        return None
    counts = tuple(round(count * factor) for count in histogram.counts)
    return Histogram(histogram.edges, counts, histogram.mean * sum(counts))


def _more_users(users: Users | None, factor: float) -> Users | None:
    return None if users is None else Users(round(users.candidate * factor), round(users.baseline * factor))


def _later(newest: Newest, more: timedelta) -> Newest:
    """Think the scrapes on too: one that is stale now stays as stale."""

    def moved(at: datetime | None) -> datetime | None:
        return None if at is None else at + more

    return Newest(moved(newest.errors), moved(newest.quality), moved(newest.latency), moved(newest.cost))
