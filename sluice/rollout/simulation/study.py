"""The study: many rollouts of each kind of candidate, judged by the gates and by fixed thresholds, as tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy

from sluice.registry import Limits, Step
from sluice.registry.judgement import Judgement
from sluice.rollout.simulation.climb import Climb, Climbed
from sluice.rollout.simulation.thresholds import (
    AS_DOCUMENTED,
    TUNED,
    FixedRule,
    Tool,
    minutes_of,
    stopped_at_day,
    weight_at,
)
from sluice.rollout.simulation.traffic import DAY, Behaviour, Traffic

LADDER = tuple(Step(weight, timedelta(days=days)) for weight, days in ((10, 2), (25, 2), (50, 2), (100, 1)))
"""The first team's."""

CANDIDATES = (
    Behaviour("as good"),
    Behaviour("as good, providers down for two hours", outage_hours=2),
    Behaviour("5 % fewer points", points_drop_percent=5),
    Behaviour("20 % fewer points", points_drop_percent=20),
    Behaviour("40 % fewer points", points_drop_percent=40),
    Behaviour("ten times the errors", error_rate=0.05),
    Behaviour("a fifth too slow", slow_rate=0.2),
    Behaviour("all fail", error_rate=1.0),
    Behaviour("drifts to 25 % fewer points, day 1 to 4", points_drop_percent=25, begins_day=1, ramp_days=3),
)

FALSE_RATE = 0.01
"""How often a good candidate may be blamed, by the gates, and by a fixed rule that is to be compared with them."""

_DAYS = 28
_LADDER_DAYS = 7


@dataclass(frozen=True, slots=True)
class Volume:
    """How much traffic an agent has, from how many users."""

    requests_per_day: int
    users: int


VOLUMES = (Volume(100, 300), Volume(100_000, 20_000))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one kind of candidate at one volume; medians are of those that it happened to."""

    judge: str
    candidate: str
    requests_per_day: int
    runs: int
    rolled_back: int
    reached_all: int
    asked_a_person: int
    median_minutes_to_catch: float | None
    p95_minutes_to_catch: float | None
    median_users_harmed: float | None
    mean_users_harmed: float | None
    median_days_to_all: float | None


def by_gates(behaviour: Behaviour, volume: Volume, runs: int, judgement: Judgement) -> Outcome:
    """Let one kind of candidate climb so many times."""
    ended: list[Climbed] = []
    for seed in range(runs):
        traffic = Traffic(behaviour, volume.requests_per_day, volume.users, seed)
        ended.append(Climb(traffic, LADDER, judgement, Limits()).run(_DAYS))
    caught = [one for one in ended if one.rolled_back_by]
    minutes = [(one.ended_days - _bad_from(behaviour)) * DAY / 60 for one in caught]
    everybody = [one.all_at_days for one in ended if one.all_at_days is not None]
    return Outcome(
        "sluice",
        behaviour.name,
        volume.requests_per_day,
        runs,
        len(caught),
        len(everybody),
        sum(one.asked_a_person for one in ended),
        *_spread(minutes),
        *_middle([float(one.users_harmed) for one in ended] if not behaviour.is_good else []),
        statistics.median(everybody) if everybody else None,
    )


def by_thresholds(volume: Volume, runs: int) -> tuple[Outcome, ...]:
    """Judge the same traffic by fixed thresholds: as documented, and each tool's best rule of those that seldom err.

    Best is who harms the fewest users with a candidate of 20 % fewer points, among the rules that blame a good one no
    more often than `FALSE_RATE`; where there is none, the one that blames it least.
    """
    rules = (*AS_DOCUMENTED, *TUNED)
    good, bad = CANDIDATES[0], next(one for one in CANDIDATES if one.points_drop_percent == 20)
    blamed = _stops(good, volume, runs, rules)
    found = _stops(bad, volume, runs, rules)
    chosen = list(AS_DOCUMENTED)
    for tool in Tool:
        of_tool = [rule for rule in TUNED if rule.tool is tool]
        seldom = [rule for rule in of_tool if _share(blamed[rule]) <= FALSE_RATE]
        best = min(seldom, key=lambda rule: _mean_harmed(found[rule])) if seldom else None
        chosen.append(best or min(of_tool, key=lambda rule: _share(blamed[rule])))
    return tuple(
        _outcome(rule, behaviour, volume, stops[rule])
        for rule in chosen
        for behaviour, stops in ((good, blamed), (bad, found))
    )


_Stops = dict[FixedRule, list[tuple[float | None, int]]]


def _stops(behaviour: Behaviour, volume: Volume, runs: int, rules: Iterable[FixedRule]) -> _Stops:
    """Return for each rule and run when it stopped the rollout, and how many users the candidate had answered."""
    stops: _Stops = {rule: [] for rule in rules}
    for seed in range(runs):
        traffic = Traffic(behaviour, volume.requests_per_day, volume.users, seed)
        minutes = minutes_of(traffic, LADDER, _LADDER_DAYS)
        when = {rule: stopped_at_day(minutes, rule, Limits()) for rule in stops}
        first = _first_answered(traffic) if not behaviour.is_good else numpy.empty(0)
        for rule, day in when.items():
            until = _LADDER_DAYS if day is None else day
            stops[rule].append((day, int((first <= until * DAY).sum())))
    return stops


def _first_answered(traffic: Traffic) -> numpy.ndarray:
    """Return when the candidate first answered each of its users, in seconds since the rollout began."""
    first = numpy.full(len(traffic.draw), numpy.inf)
    for number in range(_LADDER_DAYS):
        requests = traffic.day(number)
        weight = weight_at(LADDER, number + 0.5)  # steps begin and end with days
        mine = traffic.draw[requests.user] * 100 < weight
        numpy.minimum.at(first, requests.user[mine], requests.seconds[mine])
    return first


def _outcome(
    rule: FixedRule, behaviour: Behaviour, volume: Volume, stops: Sequence[tuple[float | None, int]]
) -> Outcome:
    caught = [day for day, _ in stops if day is not None]
    return Outcome(
        str(rule),
        behaviour.name,
        volume.requests_per_day,
        len(stops),
        len(caught),
        len(stops) - len(caught),
        0,
        *_spread([day * DAY / 60 for day in caught]),
        *_middle([float(harmed) for _, harmed in stops] if not behaviour.is_good else []),
        None,
    )


def _share(stops: Sequence[tuple[float | None, int]]) -> float:
    return sum(day is not None for day, _ in stops) / len(stops)


def _mean_harmed(stops: Sequence[tuple[float | None, int]]) -> float:
    return statistics.mean(harmed for _, harmed in stops)


def _bad_from(behaviour: Behaviour) -> float:
    return 0.0 if behaviour.is_good else behaviour.begins_day


def _spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    return statistics.median(values), float(numpy.quantile(values, 0.95))


def _middle(values: Sequence[float]) -> tuple[float | None, float | None]:
    return (statistics.median(values), statistics.mean(values)) if values else (None, None)
