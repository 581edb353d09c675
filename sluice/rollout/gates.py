"""The judgement of one rollout: every gate is asked, and together they advance, hold or roll back.

A pure function of a case. It remembers nothing, asks nobody and knows no clock, so the guard, a person at a shell, the
simulation and somebody who looks into an old record all get the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from sluice.rollout import conditions
from sluice.rollout.case import Case
from sluice.rollout.errors import errors, floor
from sluice.rollout.latency import latency
from sluice.rollout.quality import quality
from sluice.rollout.verdict import Action, Gate, Reason, Verdict, numbers
from sluice.rollout.view import View, contradictions, view_of

GATES_VERSION = 2
"""Goes up whenever the same case may get another verdict."""


def judge(case: Case) -> Verdict:
    """Judge a case."""
    view = view_of(case)
    reasons = tuple(_reasons(view))
    actions = {reason.action for reason in reasons}
    if Action.ROLLBACK in actions:
        return Verdict(Action.ROLLBACK, reasons, next_weight_percent=0)
    if Action.HOLD in actions:
        return Verdict(Action.HOLD, reasons, asks_a_person=_is_long_enough(view))
    following = case.next_weight_percent
    return Verdict(Action.ADVANCE, reasons, following, graduates=following is None)


def _reasons(view: View) -> Iterator[Reason]:
    case = view.case
    stopped = tuple(_stopped(case))
    if stopped:
        yield from stopped
        yield from conditions.papers(view)
        return
    if case.weight_percent == 0:
        yield Reason(Gate.ROLLOUT, Action.ADVANCE, f"nobody is on {case.candidate} yet")
        yield from conditions.papers(view)
        yield from conditions.budget(view)
        return
    wrong = tuple(contradictions(view))
    if wrong:
        yield from (Reason(Gate.MEASUREMENTS, Action.HOLD, f"what was measured cannot be: {one}") for one in wrong)
        at_once = floor(view)
        if at_once:
            yield at_once
        return
    yield from _served(view)
    for gate in (errors, quality, latency, conditions.cost, conditions.sample, conditions.assignment):
        yield from gate(view) if view.step else ()
    for gate in (conditions.time_at_step, conditions.budget, conditions.papers):
        yield from gate(view)


def _stopped(case: Case) -> Iterator[Reason]:
    """Say why there is nothing to judge: a rollback holds, or the switch is off, or re-entry began too high."""
    first = case.steps[0].weight_percent
    back, resumed = case.standing.rolled_back, case.standing.resumed_at
    if back is not None:
        at = f" at {back.at:%Y-%m-%d %H:%M}" if back.at else ""
        said = f"was rolled back{at} by {back.by}: {back.reason}"
        only = "`sluice resume` or another candidate" if back.another_ends_it else "only `sluice resume`"
        yield Reason(Gate.ROLLOUT, Action.HOLD, f"{said}; {only} ends that")
    elif resumed is not None and case.weight_percent > first and _began_above(case, first):
        said = (
            f"was resumed at {resumed:%Y-%m-%d %H:%M}: the way up begins at {first} %, not at {case.weight_percent} %"
        )
        yield Reason(Gate.ROLLOUT, Action.HOLD, said, numbers(first_percent=first, weight_percent=case.weight_percent))
    if not case.enabled:
        yield Reason(Gate.ROLLOUT, Action.HOLD, "the rollout is switched off (enabled: false)")


def _served(view: View) -> Iterator[Reason]:
    """Hold while what is served is not what git wants; harm is judged all the same."""
    case, served = view.case, view.case.measurements.served_weight_percent
    if not view.step:
        yield Reason(Gate.MEASUREMENTS, Action.HOLD, f"nothing was measured at {case.weight_percent} % yet")
    elif view.weight_percent != case.weight_percent or served not in {None, case.weight_percent}:
        shown = view.weight_percent if served is None else served
        yield Reason(Gate.ROLLOUT, Action.HOLD, f"git wants {case.weight_percent} %, and {shown} % is served")


def _began_above(case: Case, first: int) -> bool:
    periods = case.measurements.periods
    return not periods or periods[0].weight_percent > first


def _is_long_enough(view: View) -> bool:
    began = view.began
    return began is not None and view.case.now - began >= view.case.judgement.longest
