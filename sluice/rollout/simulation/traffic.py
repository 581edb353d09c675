"""Made traffic: users who come back, weekdays and nights, and for each request what either arm would have answered.

What an arm does to a request does not depend on who judges it, so every judge gets the same traffic. Users differ: some
ask hard questions, some fail often. A day is made when it is asked for, from the run's seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy

from sluice.rollout.measurements import SCORE_EDGES, SECONDS_EDGES

DAY = 86400
_FIRST_WEEKDAY, _FIRST_HOUR = 2, 9  # a rollout begins on a Wednesday at nine, and so do its days
_WEEKEND = 0.3
_NIGHT = 0.25
_POINTS, _OF_USER, _OF_ANSWER = 8.2, 0.5, 1.0
"""The baseline's mean, and how much users and answers differ, in points: answers of one user correlate by a fifth."""

_ERROR_RATE, _SLOW_RATE = 0.005, 0.005
_SECONDS, _SLOW_SECONDS = 0.8, 14.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a candidate does differently, from when it begins; `ramp_days` is how long it takes to worsen."""

    name: str
    points_drop_percent: float = 0.0
    error_rate: float = _ERROR_RATE
    slow_rate: float = _SLOW_RATE
    begins_day: float = 0.0
    ramp_days: float = 0.0
    outage_hours: float = 0.0
    """For so long from noon of the second day half of all requests fail, whoever answers."""

    @property
    def is_good(self) -> bool:
        """Whether it is no worse than the baseline."""
        return (self.points_drop_percent, self.error_rate, self.slow_rate) == (0.0, _ERROR_RATE, _SLOW_RATE)


@dataclass(frozen=True, slots=True)
class Requests:
    """One day's requests in their order: when, whose, and what either arm does with each."""

    seconds: numpy.ndarray
    user: numpy.ndarray
    candidate_failed: numpy.ndarray
    baseline_failed: numpy.ndarray
    candidate_points: numpy.ndarray
    baseline_points: numpy.ndarray
    candidate_slow: numpy.ndarray
    baseline_slow: numpy.ndarray


class Traffic:
    """One run's users and days."""

    def __init__(self, behaviour: Behaviour, per_day: int, users: int, seed: int) -> None:
        self.behaviour, self.per_day, self._seed = behaviour, per_day, seed
        chance = numpy.random.default_rng((seed, 0))
        self.draw = chance.random(users)
        """Where each user stands in the draw: on the candidate while this is below the weight."""
        activity = chance.lognormal(0.0, 1.0, users)
        self._up_to = numpy.cumsum(activity / activity.sum())
        self._ease = chance.normal(0.0, _OF_USER, users)
        self._failing = chance.gamma(0.5, 2.0, users)  # mean 1: most users seldom fail, some often
        self.day = lru_cache(maxsize=2)(self._day)

    def _day(self, number: int) -> Requests:
        """Make the requests of a day, counted from 0."""
        chance = numpy.random.default_rng((self._seed, number + 1))
        hours = chance.poisson(self.per_day / 24 * _profile(number))
        count = int(hours.sum())
        seconds = number * DAY + numpy.sort(numpy.repeat(numpy.arange(24) * 3600, hours) + chance.random(count) * 3600)
        user = numpy.minimum(numpy.searchsorted(self._up_to, chance.random(count)), len(self.draw) - 1)
        how = self.behaviour
        bad = _how_bad(seconds / DAY, how)
        fails, slows = chance.random(count), chance.random(count)
        usual = numpy.minimum(_ERROR_RATE * self._failing[user], 1.0)
        outage = _outage(seconds, how)
        more = numpy.where(how.error_rate >= 1, 1.0, how.error_rate * self._failing[user])
        points = _POINTS + self._ease[user] + chance.normal(0.0, _OF_ANSWER, count)
        return Requests(
            seconds,
            user,
            fails < numpy.maximum(numpy.where(bad > 0, more, usual), outage),
            fails < numpy.maximum(usual, outage),
            (points - bad * _POINTS * how.points_drop_percent / 100).clip(0, 10),
            points.clip(0, 10),
            slows < numpy.where(bad > 0, how.slow_rate, _SLOW_RATE),
            slows < _SLOW_RATE,
        )


def score_counts(points: numpy.ndarray) -> tuple[int, ...]:
    """Count points into the buckets of the gateway's histogram."""
    found = numpy.searchsorted(SCORE_EDGES, points)
    return tuple(numpy.bincount(found, minlength=len(SCORE_EDGES) + 1).tolist())


def seconds_counts(slow: int, answers: int) -> tuple[int, ...]:
    """Count answers into the buckets of the gateway's histogram; they are usual or slow."""
    counts = [0] * (len(SECONDS_EDGES) + 1)
    counts[sum(1 for edge in SECONDS_EDGES if edge < _SECONDS)] = answers - slow
    counts[sum(1 for edge in SECONDS_EDGES if edge < _SLOW_SECONDS)] += slow
    return tuple(counts)


def _profile(number: int) -> numpy.ndarray:
    """Return each hour's part of the traffic, 1 on average over a week."""
    since_monday = (number + _FIRST_WEEKDAY) * 24 + _FIRST_HOUR + numpy.arange(24)
    hour, weekday = since_monday % 24, since_monday // 24 % 7
    by_hour = numpy.where((hour >= 8) & (hour < 20), 1.0, _NIGHT) / ((1 + _NIGHT) / 2)
    return by_hour * numpy.where(weekday >= 5, _WEEKEND, 1.0) * 7 / (5 + 2 * _WEEKEND)


def _how_bad(days: numpy.ndarray, how: Behaviour) -> numpy.ndarray:
    """Return how far a candidate has worsened at a time, 0 to 1."""
    if how.ramp_days:
        return ((days - how.begins_day) / how.ramp_days).clip(0, 1)
    return (days >= how.begins_day).astype(float)


def _outage(seconds: numpy.ndarray, how: Behaviour) -> numpy.ndarray:
    noon = 1.5 * DAY
    down = (seconds >= noon) & (seconds < noon + how.outage_hours * 3600)
    return numpy.where(down, 0.7, 0.0)
