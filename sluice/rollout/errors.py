"""Whether a candidate fails more than its baseline: harm by the share of failing users, promotion by a bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import timedelta

from sluice.rollout.bounds import highest_rate, lowest_rate
from sluice.rollout.case import Case
from sluice.rollout.harm import MANY_TIMES, Shares, log_evidence
from sluice.rollout.measurements import ArmCounts, Period, Recent
from sluice.rollout.numerals import evidence, two_digits
from sluice.rollout.verdict import Action, Gate, Reason, numbers
from sluice.rollout.view import View, is_fresh, unusable

SHARE_OF_HARM = 0.5
"""Of the chance of a false rollback: failures are worst, and must show in the fewest."""

FLOOR_REQUESTS = 10
"""From how many recent requests on more than half that failed is enough by itself."""

FEWEST_OF_BASELINE = 4
"""Requests of the baseline that tell whether it fails too."""

RECENT = timedelta(minutes=2)
"""What counts as the last minutes at most."""

_MINUTE = timedelta(minutes=1)
_SCRAPE = timedelta(seconds=15)


def latest(counted: Callable[[timedelta], Recent | None], longest: timedelta = RECENT) -> Recent | None:
    """Return the last minute's requests or, where it holds too few of either arm to judge by, those of a longer time.

    That is as long as enough of them should take, and `longest` at most: of a good time before it each second hides
    something. `counted` counts over a time before now.
    """
    minute = counted(min(longest, _MINUTE))
    if longest <= _MINUTE:
        return minute
    enough = RECENT if minute is None else _time_for_enough(minute)
    return minute if enough <= _MINUTE else counted(min(longest, enough))


def _time_for_enough(minute: Recent) -> timedelta:
    """Return how long it should take until there are enough requests of both arms, in whole scrapes and one more."""
    needs = (FLOOR_REQUESTS, minute.candidate_requests), (FEWEST_OF_BASELINE, minute.baseline_requests)
    if all(found >= wanted for wanted, found in needs):
        return _MINUTE
    if not all(found for _, found in needs):
        return RECENT
    minutes = max(wanted / found for wanted, found in needs)
    return (math.ceil(minutes * _MINUTE / _SCRAPE) + 1) * _SCRAPE


def floor(view: View) -> Reason | None:
    """Say whether more than half of the last minutes' requests failed: no statistics, no waiting."""
    recent = view.case.measurements.recent
    if recent is None or recent.candidate_requests < FLOOR_REQUESTS or not is_fresh(view, Gate.ERRORS):
        return None
    if recent.candidate_failed * 2 <= recent.candidate_requests:
        return None
    said = f"{recent.candidate_failed} of the last {recent.candidate_requests} requests to the candidate failed"
    found = numbers(candidate_failed=recent.candidate_failed, candidate_requests=recent.candidate_requests)
    if baseline_fails(view.case):
        beside = f"and {recent.baseline_failed} of {recent.baseline_requests} to the baseline: a provider is down"
        return Reason(Gate.ERRORS, Action.HOLD, f"{said}, {beside}", found)
    return Reason(Gate.ERRORS, Action.ROLLBACK, f"{said}, more than half", found)


def baseline_fails(case: Case) -> bool:
    """Say whether the baseline fails too at the moment, so that going back to it would help nobody."""
    recent = case.measurements.recent
    return (
        recent is not None
        and recent.baseline_requests >= FEWEST_OF_BASELINE
        and recent.baseline_failed * 2 > recent.baseline_requests
    )


def is_suspect(case: Case) -> bool:
    """Say whether more of the last minutes' requests failed than may, sure or not: it is worth another look soon."""
    recent = case.measurements.recent
    if recent is None or baseline_fails(case):
        return False
    return 100 * recent.candidate_failed > case.limits.error_rate.canary_percent * recent.candidate_requests


def errors(view: View) -> Iterator[Reason]:
    """Judge failures."""
    at_once = floor(view)
    problem = unusable(view, Gate.ERRORS)
    if at_once or problem:
        yield from (one for one in (at_once, problem) if one)
        return
    yield _harm_alone(view) if view.is_alone else _harm(view)
    yield _promotion(view)


def _harm(view: View) -> Reason:
    alpha = view.case.judgement.harm * SHARE_OF_HARM
    by_users = all(
        arm.failed_users is not None for period in view.periods for arm in (period.candidate, period.baseline)
    )
    shares = [_shares(period, by_users, view.answers_count_as) for period in view.periods]
    log = log_evidence(shares, MANY_TIMES)
    mine = sum(period.candidate[0] for period in shares)
    both = sum(period.both[0] for period in shares)
    share = _mean_share(shares)
    rate = _rate(view.candidate)
    who = "users who met a failure" if by_users else "failed requests (users were not counted)"
    said = f"{mine:g} of {both:g} {who} are on the candidate, which has {share:.0%} of them if it is no worse"
    found = numbers(
        evidence=_evidence(log), evidence_needed=1 / alpha, failing_candidate=mine, failing_both=both,
        error_rate_percent=100 * rate,
    )  # fmt: skip
    goal = view.case.limits.error_rate.goal_percent
    if log < math.log(1 / alpha):
        return Reason(Gate.ERRORS, Action.ADVANCE, f"{said}: {_odds(log)}, {1 / alpha:,.0f} would be harm", found)
    if baseline_fails(view.case):
        return Reason(Gate.ERRORS, Action.HOLD, f"{said}, but the baseline fails too: a provider is down", found)
    if 100 * max(rate, _rate_of_all(view), _rate(view.periods[-1].candidate)) <= goal:
        said += f": more than chance, but {rate:.2%} of requests is within the goal of {goal:g} %"
        return Reason(Gate.ERRORS, Action.ADVANCE, said, found)
    return Reason(Gate.ERRORS, Action.ROLLBACK, f"{said}: {_odds(log)}, {1 / alpha:,.0f} is enough", found)


def _harm_alone(view: View) -> Reason:
    """Judge a candidate that has everybody: nothing runs beside it, so its failures are held against the limit."""
    alpha = view.case.judgement.harm * SHARE_OF_HARM
    limit = view.case.limits.error_rate.rollback_percent
    failed, requests = _failed_and_requests(view.candidate)
    counts_as = view.answers_count_as
    low = 100 * lowest_rate(failed * counts_as, requests * counts_as, alpha)
    said = f"{failed} of {requests} requests failed, at least {two_digits(low)} % of all; the limit is {limit:g} %"
    action = Action.ROLLBACK if low > limit else Action.ADVANCE
    return Reason(Gate.ERRORS, action, said, numbers(lowest_percent=low, limit_percent=limit, failed=failed))


def _promotion(view: View) -> Reason:
    margin, alpha = view.case.judgement.error_margin_percent, view.case.judgement.promotion
    failed, requests = _failed_and_requests(view.candidate)
    counts_as = view.answers_count_as
    high = 100 * highest_rate(failed * counts_as, requests * counts_as, alpha)
    beside = 100 * _rate(view.baseline)
    most = beside + margin
    said = f"{failed} of {requests} requests failed at this step, so up to {two_digits(high)} % may"
    found = numbers(highest_percent=high, allowed_percent=most, baseline_percent=beside)
    if high > most:
        allowed = f"the baseline's {two_digits(beside)} % and a margin of {margin:g} are allowed"
        said += f"; {allowed}: more requests are needed"
        return Reason(Gate.ERRORS, Action.HOLD, said, found)
    return Reason(Gate.ERRORS, Action.ADVANCE, f"{said}, {two_digits(most)} % are allowed", found)


def _shares(period: Period, by_users: bool, counts_as: float) -> Shares:
    if by_users:
        mine, theirs = period.candidate.failed_users or 0, period.baseline.failed_users or 0
        return Shares(period.weight_percent / 100, (mine,), (mine + theirs,))
    mine, theirs = period.candidate.failed or 0, period.baseline.failed or 0
    requests = (period.candidate.requests or 0, period.baseline.requests or 0)
    return Shares(requests[0] / sum(requests) if sum(requests) else 0.0, (mine,), (mine + theirs,), counts_as)


def _mean_share(shares: list[Shares]) -> float:
    both = sum(period.both[0] for period in shares)
    weighted = sum(period.share * period.both[0] for period in shares)
    return weighted / both if both else shares[-1].share if shares else 0.0


def _rate_of_all(view: View) -> float:
    failed = sum(period.candidate.failed or 0 for period in view.periods)
    requests = sum(period.candidate.requests or 0 for period in view.periods)
    return failed / requests if requests else 0.0


def _rate(arm: ArmCounts | None) -> float:
    failed, requests = _failed_and_requests(arm)
    return failed / requests if requests else 0.0


def _failed_and_requests(arm: ArmCounts | None) -> tuple[int, int]:
    return (arm.failed or 0, arm.requests or 0) if arm else (0, 0)


def _evidence(log: float) -> float:
    return math.exp(min(log, 300.0))


def _odds(log: float) -> str:
    return f"the evidence of harm is {evidence(_evidence(log))}"
