"""Whether a candidate's answers are worth less: harm by who gets the bad ones, promotion by the difference of means."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sluice.rollout.bounds import cautious_variance, half_width
from sluice.rollout.harm import Shares, log_evidence, tilts
from sluice.rollout.measurements import SCORE_EDGES, Histogram, Period
from sluice.rollout.numerals import evidence, two_digits
from sluice.rollout.verdict import Action, Gate, Number, Reason, numbers
from sluice.rollout.view import View, unusable

SHARE_OF_HARM = 0.3

_ENOUGH_ANSWERS = 5

_MIDDLES = tuple((low + high) / 2 for low, high in zip((0.0, *SCORE_EDGES), (*SCORE_EDGES, 10.0), strict=True))
WORSE = tilts(_MIDDLES, centres=(2.0, 4.0, 5.0, 6.0, 7.0, 8.0), steepness=(0.4, 0.8, 1.6))
"""From a little fewer points to nothing but rubbish, whatever the baseline's usual points are."""


def quality(view: View) -> Iterator[Reason]:
    """Judge the points that answers got."""
    problem = unusable(view, Gate.QUALITY)
    if problem:
        yield problem
        return
    mine, theirs = (arm.scores if arm else None for arm in (view.candidate, view.baseline))
    if not mine or not theirs or not mine.count or not theirs.count:
        yield Reason(Gate.QUALITY, Action.HOLD, "no answers of both arms were scored at this step")
        return
    drop = _drop_percent(mine, theirs)
    yield _harm_alone(view, mine, theirs, drop) if view.is_alone else _harm(view, drop)
    yield _promotion(view, mine, theirs, drop)
    yield from _least(view, mine)


def _harm(view: View, drop: float) -> Reason:
    alpha = view.case.judgement.harm * SHARE_OF_HARM
    log = log_evidence([_shares(period, view.answers_count_as) for period in view.periods], WORSE)
    limit = view.case.limits.quality_drop.canary_percent
    drop = max(drop, _drop_of_last_period(view))
    found = numbers(drop_percent=drop, limit_percent=limit, evidence=math.exp(min(log, 300)), evidence_needed=1 / alpha)
    said = f"points are {_than_baseline(drop)}; the evidence of worse answers is {evidence(math.exp(min(log, 300)))}"
    if log < math.log(1 / alpha):
        return Reason(Gate.QUALITY, Action.ADVANCE, f"{said}, {1 / alpha:,.0f} would be harm", found)
    if drop < limit:
        equal = view.case.limits.quality.spread_percent
        said += f": more than chance, but short of the {limit:g} % that end a rollout; {equal:g} % count as equal"
        return Reason(Gate.QUALITY, Action.ADVANCE if drop <= equal else Action.HOLD, said, found)
    return Reason(Gate.QUALITY, Action.ROLLBACK, f"{said}, {1 / alpha:,.0f} is enough; the limit is {limit:g} %", found)


def _harm_alone(view: View, mine: Histogram, theirs: Histogram, drop: float) -> Reason:
    """Judge a candidate that has everybody: against the baseline as it was before, with its own limit."""
    alpha, limit = view.case.judgement.harm * SHARE_OF_HARM, view.case.limits.quality_drop.rollback_percent
    least_drop = drop - 100 * _reach(view, mine, theirs, alpha) / theirs.mean if theirs.mean else 0.0
    said = f"points are {_than_baseline(drop)} as it was before, for sure by {two_digits(least_drop)} %"
    action = Action.ROLLBACK if drop >= limit and least_drop > 0 else Action.ADVANCE
    return Reason(Gate.QUALITY, action, said, numbers(drop_percent=drop, least_percent=least_drop, limit_percent=limit))


def _promotion(view: View, mine: Histogram, theirs: Histogram, drop: float) -> Reason:
    margin = view.case.limits.quality.spread_percent
    most = drop + 100 * _reach(view, mine, theirs, view.case.judgement.promotion) / theirs.mean if theirs.mean else 0.0
    below = f"{two_digits(max(most, 0))} % below the baseline's {theirs.mean:.2f}"
    said = f"by {mine.count} answers, points may be up to {below}"
    found = numbers(
        drop_percent=drop, most_percent=most, margin_percent=margin, candidate_points=mine.mean,
        baseline_points=theirs.mean,
    )  # fmt: skip
    if most > margin:
        more = "more answers are needed" if drop < margin else "it is not as good"
        return Reason(Gate.QUALITY, Action.HOLD, f"{said}; {margin:g} % count as equal: {more}", found)
    return Reason(Gate.QUALITY, Action.ADVANCE, f"{said}; {margin:g} % count as equal", found)


def _least(view: View, mine: Histogram) -> Iterator[Reason]:
    least = view.case.limits.quality.least
    if mine.mean < least:
        found: tuple[Number, ...] = numbers(points=mine.mean, least=least)
        yield Reason(Gate.QUALITY, Action.HOLD, f"points are {mine.mean:.2f} on average, {least:g} is the least", found)


def _reach(view: View, mine: Histogram, theirs: Histogram, alpha: float) -> float:
    """Return how far the difference of means may lie from what was seen, in points."""
    variance = 0.0
    for arm in (mine, theirs):
        answers = arm.count * view.answers_count_as
        variance += cautious_variance(arm.variance, arm.mean, answers) / answers
    margin = view.case.limits.quality.spread_percent / 100 * max(theirs.mean, 1.0)
    return half_width(variance, max(margin, 0.1), alpha)


def _drop_of_last_period(view: View) -> float:
    """Return by how much points fell of late, so that good days do not hide it; a few answers say nothing."""
    mine, theirs = view.periods[-1].candidate.scores, view.periods[-1].baseline.scores
    enough = mine and theirs and min(mine.count, theirs.count) >= _ENOUGH_ANSWERS
    return _drop_percent(mine, theirs) if mine and theirs and enough else 0.0


def _shares(period: Period, counts_as: float) -> Shares:
    mine, theirs = period.candidate.scores, period.baseline.scores
    if mine is None or theirs is None:
        return Shares(0.0, (), ())
    both = tuple(one + other for one, other in zip(mine.counts, theirs.counts, strict=True))
    return Shares(mine.count / max(sum(both), 1), mine.counts, both, counts_as)


def _drop_percent(mine: Histogram, theirs: Histogram) -> float:
    return 100 * (1 - mine.mean / theirs.mean) if theirs.mean else 0.0


def _than_baseline(drop: float) -> str:
    return f"{two_digits(abs(drop))} % {'below' if drop >= 0 else 'above'} the baseline's"
