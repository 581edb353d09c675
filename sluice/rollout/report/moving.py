"""Moving means of points, with how far they may lie from what was seen.

The interval is of 95 % and for one look. It is made with the variance and the weight of an answer that the gates use:
answers of one user are alike, and a handful of equal scores is not taken for certainty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.rollout.bounds import cautious_variance
from sluice.rollout.harm import answers_count_as
from sluice.rollout.measurements import Histogram
from sluice.rollout.report.material import ArmDay

_DAY = timedelta(days=1)
_REACH_OF_95_PERCENT = 1.96
_LEAST_ANSWERS = 10
"""As for the recorded means of a day."""

_MOST_POINTS = 10.0


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of points over some days that ended then; `mean` is None where too few answers were scored."""

    ended: datetime
    answers: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None


def moving_means(days: Sequence[ArmDay], dimension: str, over: timedelta, since: datetime, alike: float) -> list[Mean]:
    """Return a mean for each day after `since`, over so many days before its end; None of a day without a series."""
    means: list[Mean] = []
    for day in days:
        if day.ended <= since:
            continue
        window = [one for one in days if day.ended - max(over, _DAY) < one.ended <= day.ended]
        # A day that was not measured has no mean of its own, whatever the days before it say.
        known = [] if day.scores is None else [points for one in window if (points := _points(one, dimension))]
        means.append(_mean_of(day.ended, known, alike))
    return means


def _points(day: ArmDay, dimension: str) -> Histogram | None:
    return None if day.scores is None else day.scores.get(dimension)


def _mean_of(ended: datetime, known: Sequence[Histogram], alike: float) -> Mean:
    if not known:
        return Mean(ended, 0)
    every = known[0]
    for one in known[1:]:
        every += one
    if every.count < _LEAST_ANSWERS:
        return Mean(ended, every.count)
    counts = every.count * answers_count_as(every.count, None, alike)
    reach = _REACH_OF_95_PERCENT * math.sqrt(cautious_variance(every.variance, every.mean, counts) / counts)
    mean = min(every.mean, _MOST_POINTS)
    return Mean(ended, every.count, mean, max(0.0, mean - reach), min(_MOST_POINTS, mean + reach))
