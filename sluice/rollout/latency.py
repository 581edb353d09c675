"""Whether a candidate answers too slowly: harm by who waits, promotion by the percentile that is a warning."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sluice.rollout.bounds import lowest_rate
from sluice.rollout.harm import MANY_TIMES, Shares, log_evidence
from sluice.rollout.measurements import Period
from sluice.rollout.numerals import evidence
from sluice.rollout.verdict import Action, Gate, Reason, numbers
from sluice.rollout.view import View, unusable

SHARE_OF_HARM = 0.2

_SLOW_PERCENT = 5.0
"""A 95th percentile is above a limit where more than these are."""


def latency(view: View) -> Iterator[Reason]:
    """Judge how long answers took."""
    problem = unusable(view, Gate.LATENCY)
    if problem:
        yield problem
        return
    mine = view.candidate.seconds if view.candidate else None
    if not mine or not mine.count:
        yield Reason(Gate.LATENCY, Action.HOLD, "no answers of the candidate were timed at this step")
        return
    yield _harm(view)
    yield from _promotion(view)


def _harm(view: View) -> Reason:
    alpha = view.case.judgement.harm * SHARE_OF_HARM
    limit = view.case.limits.latency.p95_rollback.total_seconds()
    slow, answers = _slow(view, limit)
    percent = 100 * slow / answers
    said = f"{slow} of {answers} answers took more than {limit:g} s; a 95th percentile above it ends a rollout"
    if view.is_alone:
        low = 100 * lowest_rate(slow * view.answers_count_as, answers * view.answers_count_as, alpha)
        action = Action.ROLLBACK if low > _SLOW_PERCENT else Action.ADVANCE
        return Reason(Gate.LATENCY, action, said, numbers(slow_percent=percent, lowest_percent=low))
    log = log_evidence([_shares(period, limit, view.answers_count_as) for period in view.periods], MANY_TIMES)
    likely = math.exp(min(log, 300))
    found = numbers(slow_percent=percent, evidence=likely, evidence_needed=1 / alpha)
    if log < math.log(1 / alpha) or percent <= _SLOW_PERCENT:
        return Reason(Gate.LATENCY, Action.ADVANCE, said, found)
    said += f", and the evidence that it is the candidate is {evidence(likely)}, {1 / alpha:,.0f} is enough"
    return Reason(Gate.LATENCY, Action.ROLLBACK, said, found)


def _promotion(view: View) -> Iterator[Reason]:
    limit = view.case.limits.latency.p95_warning.total_seconds()
    slow, answers = _slow(view, limit)
    theirs = view.baseline.seconds if view.baseline else None
    beside = 100 * theirs.above(limit) / theirs.count if theirs and theirs.count else 0.0
    percent = 100 * slow / answers
    if percent > max(_SLOW_PERCENT, beside):
        said = f"{slow} of {answers} answers took more than {limit:g} s, which is worth a warning"
        yield Reason(Gate.LATENCY, Action.HOLD, said, numbers(slow_percent=percent, baseline_percent=beside))


def _slow(view: View, limit: float) -> tuple[int, int]:
    mine = view.candidate.seconds if view.candidate else None
    return (mine.above(limit), mine.count) if mine else (0, 0)


def _shares(period: Period, limit: float, counts_as: float) -> Shares:
    mine, theirs = period.candidate.seconds, period.baseline.seconds
    if mine is None or theirs is None:
        return Shares(0.0, (), ())
    answers = mine.count + theirs.count
    slow = mine.above(limit)
    return Shares(mine.count / answers if answers else 0.0, (slow,), (slow + theirs.above(limit),), counts_as)
