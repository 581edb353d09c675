"""What an advance waits for beside the arms' own merits: time, sample, users as drawn, money, papers, the calendar.

None of these rolls back: a freeze, a missing signature or a spent budget stops the way up and never the way down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from sluice.registry import Ladder
from sluice.rollout.verdict import Action, Gate, Reason, numbers
from sluice.rollout.view import View, unusable

ASSIGNMENT_ALPHA = 0.001
"""The chance that users who were drawn rightly are taken for drawn wrongly."""

UNSIGNED = "the sign-off that is wanted is not there: "

_PRIOR_USERS = 100
"""How many users' worth of belief in the weight the check of assignment begins with."""

_UNITS = (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1)))
"""In which a step's time is told: the largest that it has one of."""


def time_at_step(view: View) -> Iterator[Reason]:
    """Ask for the step's time, and say when it has had more than enough."""
    case, began = view.case, view.began
    if began is None:
        yield Reason(Gate.TIME, Action.HOLD, "nobody knows since when the weight holds; write since: to the rollout")
        return
    held, hold = case.now - began, Ladder(steps=case.steps).hold_at(case.weight_percent)
    days, wanted = held / timedelta(days=1), hold / timedelta(days=1)
    action = Action.HOLD if held < hold else Action.ADVANCE
    name, unit = next(((name, unit) for name, unit in _UNITS if hold >= unit), _UNITS[0])
    said = f"{case.weight_percent} % holds for {held / unit:.1f} {name}, {hold / unit:g} are wanted"
    yield Reason(Gate.TIME, action, said, numbers(days=days, wanted_days=wanted))


def sample(view: View) -> Iterator[Reason]:
    """Ask for the least sample of this step, of both arms where both have users."""
    least = view.case.judgement.least_answers
    arms = (
        [("candidate", view.candidate)]
        if view.is_alone
        else [("candidate", view.candidate), ("baseline", view.baseline)]
    )
    for name, arm in arms:
        requests = arm.requests if arm and arm.requests is not None else 0
        action = Action.HOLD if requests < least else Action.ADVANCE
        said = f"{requests} requests to the {name} at this step, {least} are the least"
        yield Reason(Gate.SAMPLE, action, said, numbers(requests=requests, least=least))


def assignment(view: View) -> Iterator[Reason]:
    """Hold where the arms' users are not in the proportion they were drawn in: then nothing that compares them is true.

    The beta-binomial martingale of Lindon and Malek, about the weight, to both sides.
    """
    users = view.case.measurements.users_of_step
    if users is None or not 0 < view.weight_percent < 100:
        return
    share, everybody = view.weight_percent / 100, users.candidate + users.baseline
    first, second = _PRIOR_USERS * share, _PRIOR_USERS * (1 - share)
    log = _log_beta(first + users.candidate, second + users.baseline) - _log_beta(first, second)
    log -= users.candidate * math.log(share) + users.baseline * math.log(1 - share)
    said = f"{users.candidate} of {everybody} users are on the candidate, {view.weight_percent} % were drawn"
    found = numbers(candidate_users=users.candidate, users=everybody, evidence=math.exp(min(log, 300)))
    if log >= math.log(1 / ASSIGNMENT_ALPHA):
        yield Reason(Gate.ASSIGNMENT, Action.HOLD, f"{said}: they are not drawn as they should be", found)
    else:
        yield Reason(Gate.ASSIGNMENT, Action.ADVANCE, said, found)


def cost(view: View) -> Iterator[Reason]:
    """Hold a candidate whose requests cost more than they were meant to.

    That the first fine-tuned model saved so much is why it leads the baselines; the next one cannot save that again.
    """
    problem = unusable(view, Gate.COST)
    if problem:
        yield problem
        return
    mine, theirs, limits = view.candidate, view.baseline, view.case.limits.request_cost
    if not mine or not mine.requests or mine.cost_dollars is None:
        return
    each = mine.cost_dollars / mine.requests
    said, held = f"a request costs ${each:.4f}", each >= limits.goal_dollars
    found = numbers(dollars=each, goal_dollars=limits.goal_dollars)
    if held:
        said += f", the goal is less than ${limits.goal_dollars:g}"
    if theirs and theirs.requests and theirs.cost_dollars:
        beside = theirs.cost_dollars / theirs.requests
        saving = 100 * (1 - each / beside)
        said += f", {saving:.0f} % less than the baseline's"
        found += numbers(saving_percent=saving, wanted_saving_percent=limits.saving_percent)
        if view.case.saving_is_asked and saving < limits.saving_percent:
            held, said = True, f"{said}; {limits.saving_percent:g} % are wanted"
    yield Reason(Gate.COST, Action.HOLD if held else Action.ADVANCE, said, found)


def budget(view: View) -> Iterator[Reason]:
    """Hold where the month's money is spent, or the next step would take more than there is."""
    month, spent, coming = view.case.month, view.case.measurements.month_spend_dollars, view.case.next_month_dollars
    if spent is not None and spent >= month.budget_dollars:
        said = f"${spent:,.2f} of the month's ${month.budget_dollars:g} is spent"
        yield Reason(Gate.BUDGET, Action.HOLD, said, numbers(spent=spent, budget=month.budget_dollars))
    if coming > month.cap_dollars:
        said = f"at the next step a month will cost ${coming:,.2f}, the cap is ${month.cap_dollars:g}"
        yield Reason(Gate.BUDGET, Action.HOLD, said, numbers(forecast=coming, cap=month.cap_dollars))


def papers(view: View) -> Iterator[Reason]:
    """Hold where somebody has not signed, or where no weight is raised today."""
    for missing in view.case.missing_sign_offs:
        yield Reason(Gate.SIGN_OFFS, Action.HOLD, f"{UNSIGNED}{missing}")
    if view.case.freeze:
        yield Reason(Gate.FREEZE, Action.HOLD, f"no weight is raised now: {view.case.freeze}")


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
