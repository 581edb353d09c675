"""Analysis by fixed thresholds, as Argo Rollouts and Flagger do it, over the same made traffic.

Their logic is restated from their sources, not copied: in argo-rollouts `analysis/analysis.go` (`assessMetricStatus`: a
metric fails once more measurements failed than `failureLimit`, errors once more than `consecutiveErrorLimit`, 4 unless
said otherwise, had no result in a row; each metric counts by itself), in flagger `pkg/controller/scheduler.go`
(`advanceCanary`: a failed check counts one, checks that pass take nothing back, and the tick after `threshold` is
reached rolls back) and `scheduler_metrics.go` (the first metric beyond its range fails the check, and so does one
without values). The thresholds are this registry's own. The weight climbs the ladder by time alone, their way at its
fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy

from sluice.registry import Limits, Step
from sluice.rollout.simulation.traffic import DAY, Traffic

_MINUTES = DAY // 60
_ARGO_ERRORS_IN_A_ROW = 4


class Tool(StrEnum):
    """Whose logic."""

    ARGO = "Argo Rollouts"
    FLAGGER = "Flagger"


@dataclass(frozen=True, slots=True)
class FixedRule:
    """A tool with its two dials: how long a window is, and how many failed ones it takes.

    `empty_passes` is what its users write into the query, lest an hour without traffic end the rollout.
    """

    tool: Tool
    window_minutes: int
    failures: int
    empty_passes: bool = True

    def __str__(self) -> str:
        limit = "failureLimit" if self.tool is Tool.ARGO else "threshold"
        every = f"{self.window_minutes // 60} h" if self.window_minutes >= 60 else f"{self.window_minutes} min"
        return f"{self.tool}, every {every}, {limit} {self.failures}{'' if self.empty_passes else ', no values count'}"


AS_DOCUMENTED = (
    FixedRule(Tool.ARGO, 5, 3, empty_passes=False),
    FixedRule(Tool.FLAGGER, 1, 10, empty_passes=False),
)
"""What the examples of their documentation have."""

TUNED = tuple(
    FixedRule(tool, window, failures + (tool is Tool.FLAGGER))
    for tool in Tool
    for window in (1, 5, 15, 60, 240, 720, 1440)
    for failures in (0, 1, 2, 3, 5, 10)
)
"""What somebody may try in search of a rule that seldom blames a good candidate."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """By minute since the rollout began, for each arm: requests, failures, answers, points, slow answers."""

    candidate: numpy.ndarray
    baseline: numpy.ndarray


def minutes_of(traffic: Traffic, steps: tuple[Step, ...], days: int) -> Minutes:
    """Add up the made traffic by minute, with the weights that the ladder has by time; steps last whole days."""
    arms = numpy.zeros((2, 5, days * _MINUTES))
    for number in range(days):
        requests = traffic.day(number)
        minute = (requests.seconds // 60).astype(int)
        on_candidate = traffic.draw[requests.user] * 100 < weight_at(steps, number + 0.5)
        both = (
            (on_candidate, requests.candidate_failed, requests.candidate_points, requests.candidate_slow),
            (~on_candidate, requests.baseline_failed, requests.baseline_points, requests.baseline_slow),
        )
        for arm, (who, failed, points, slow) in enumerate(both):
            answered = who & ~failed
            values = (who, who & failed, answered, numpy.where(answered, points, 0.0), who & slow)
            for row, value in enumerate(values):
                arms[arm, row] += numpy.bincount(minute, value, minlength=days * _MINUTES)[: days * _MINUTES]
    return Minutes(arms[0], arms[1])


def weight_at(steps: tuple[Step, ...], day: float) -> int:
    """Return the weight that a ladder has by time alone."""
    for step in steps:
        day -= step.hold.total_seconds() / DAY
        if day < 0:
            return step.weight_percent
    return steps[-1].weight_percent


def stopped_at_day(minutes: Minutes, rule: FixedRule, limits: Limits) -> float | None:
    """Return when a rule ends the rollout, in days since it began; None where it does not."""
    failed, empty = _windows(minutes, rule.window_minutes, limits)
    window_days = rule.window_minutes / _MINUTES
    if rule.tool is Tool.FLAGGER:
        checks = failed.any(axis=0) | (False if rule.empty_passes else empty)
        reached = numpy.flatnonzero(numpy.cumsum(checks) >= rule.failures)
        return float((reached[0] + 2) * window_days) if len(reached) else None
    over = [numpy.flatnonzero(numpy.cumsum(metric & ~empty) > rule.failures) for metric in failed]
    ends = [int(found[0]) for found in over if len(found)]
    if not rule.empty_passes:
        in_a_row = numpy.convolve(empty, numpy.ones(_ARGO_ERRORS_IN_A_ROW + 1), "full")[: len(empty)]
        errors = numpy.flatnonzero(in_a_row > _ARGO_ERRORS_IN_A_ROW)
        ends += [int(errors[0])] if len(errors) else []
    return float((min(ends) + 1) * window_days) if ends else None


def _windows(minutes: Minutes, size: int, limits: Limits) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return by metric and window whether it is beyond its limit, and by window whether there were no requests."""

    def summed(arm: numpy.ndarray) -> numpy.ndarray:
        whole = arm.shape[1] // size * size
        total: numpy.ndarray = numpy.sum(arm[:, :whole].reshape(5, -1, size), axis=2)
        return total

    mine, theirs = summed(minutes.candidate), summed(minutes.baseline)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        errors = mine[1] / mine[0] > limits.error_rate.canary_percent / 100
        below = 1 - limits.quality_drop.canary_percent / 100
        quality = mine[3] / mine[2] < below * theirs[3] / theirs[2]
        latency = mine[4] / mine[0] > 0.05
    return numpy.array([errors, quality, latency]), mine[0] == 0
