"""A case's measurements as the gates look at them: the step that runs, what came before, what can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sluice.registry.judgement import WhenMissing
from sluice.rollout.case import Case
from sluice.rollout.harm import answers_count_as
from sluice.rollout.measurements import ArmCounts, Histogram, Period, sum_of
from sluice.rollout.verdict import Action, Gate, Reason

_METRICS = {Gate.ERRORS: "errors", Gate.QUALITY: "quality", Gate.LATENCY: "latency", Gate.COST: "cost"}
_SCRAPES_APART = 5
"""How many counts two metrics of the same requests may differ by: one is scraped a moment before the other."""


@dataclass(frozen=True, slots=True)
class View:
    """What the gates work with. `step` are the periods at the weight that is served now, `before` those before it."""

    case: Case
    before: tuple[Period, ...]
    step: tuple[Period, ...]
    candidate: ArmCounts | None
    """Over the step."""
    baseline: ArmCounts | None
    """Over the step, or where it had everybody on the candidate, over the steps before."""
    answers_count_as: float
    """What one of the candidate's answers counts, for users who give rise to several."""
    weight_percent: int
    """What is served: what git wants too, but for the while until it is applied."""
    is_alone: bool
    """Whether everybody is on the candidate, so that nothing runs beside it."""

    @property
    def periods(self) -> tuple[Period, ...]:
        """All of the rollout."""
        return (*self.before, *self.step)

    @property
    def began(self) -> datetime | None:
        """When the step began: as measured or as git says, the later of the two."""
        measured = self.step[0].began if self.step else None
        return max((one for one in (measured, self.case.since) if one is not None), default=None)


def view_of(case: Case) -> View:
    """Look at a case."""
    periods = case.measurements.periods
    weight = periods[-1].weight_percent if periods else case.weight_percent
    first = len(periods)
    while first > 0 and periods[first - 1].weight_percent == weight:
        first -= 1
    before, step = periods[:first], periods[first:]
    alone = weight >= 100
    users = case.measurements.users
    everything = sum_of(period.candidate for period in periods)
    answers = everything.requests if everything and everything.requests is not None else 0
    return View(
        case,
        before,
        step,
        sum_of(period.candidate for period in step),
        sum_of(period.baseline for period in (before if alone else step)),
        answers_count_as(answers, users.candidate if users else None, case.judgement.alike),
        weight,
        alone,
    )


def unusable(view: View, gate: Gate) -> Reason | None:
    """Say why a gate's metric cannot be judged, and what the registry wants done about it; None where it can."""
    problem = next(_problems(view, gate), None)
    if problem is None:
        return None
    policy = getattr(view.case.judgement.missing, _METRICS[gate])
    if policy is WhenMissing.IGNORE:
        return Reason(gate, Action.ADVANCE, f"{problem}; judgement.missing.{_METRICS[gate]} says to go on without it")
    return Reason(gate, Action.HOLD, f"{problem}; nothing is decided by what is not known")


def is_fresh(view: View, gate: Gate) -> bool:
    """Say whether a gate's metric was scraped of late."""
    newest: datetime | None = getattr(view.case.measurements.newest, _METRICS[gate])
    return newest is not None and view.case.now - newest <= view.case.judgement.stale


def _problems(view: View, gate: Gate) -> Iterator[str]:
    """Say what is missing or stale. An agent that nobody asks has counts of 0, which are not missing."""
    name = _METRICS[gate]
    newest: datetime | None = getattr(view.case.measurements.newest, name)
    if newest is None:
        yield f"{name} were never measured" if name == "errors" else f"{name} was never measured"
        return
    age = view.case.now - newest
    if age > view.case.judgement.stale:
        limit = view.case.judgement.stale.total_seconds() / 60
        yield f"the newest value of {name} is {age.total_seconds() / 60:.0f} minutes old, {limit:g} are allowed"
    if any(_measured(arm, gate) is None for period in view.periods for arm in (period.candidate, period.baseline)):
        yield f"{name} is missing for a part of the rollout"


def _measured(arm: ArmCounts, gate: Gate) -> object:
    by_gate: dict[Gate, Callable[[ArmCounts], object]] = {
        Gate.ERRORS: lambda arm: None if arm.requests is None else arm.failed,
        Gate.QUALITY: lambda arm: arm.scores,
        Gate.LATENCY: lambda arm: arm.seconds,
        Gate.COST: lambda arm: arm.cost_dollars,
    }
    return by_gate[gate](arm)


def contradictions(view: View) -> Iterator[str]:
    """Say what cannot be true of the measurements at once."""
    case, measured = view.case, view.case.measurements
    for period in view.periods:
        for name, arm in (("candidate", period.candidate), ("baseline", period.baseline)):
            yield from _impossible(name, arm)
    if any(earlier.began > later.began for earlier, later in zip(view.periods, view.periods[1:], strict=False)):
        yield "periods are not in order"
    if any(period.began > case.now for period in view.periods) or measured.taken_at > case.now:
        yield "something was measured in the future"


def _impossible(name: str, arm: ArmCounts) -> Iterator[str]:
    requests = arm.requests
    if requests is None:
        return
    if arm.failed is not None and arm.failed > requests:
        yield f"{arm.failed} of {requests} requests of the {name} failed"
    if arm.failed_users is not None and arm.failed is not None and arm.failed_users > arm.failed + _SCRAPES_APART:
        yield f"{arm.failed_users} users of the {name} met a failure, and {arm.failed} requests failed"
    for what, histogram in (("scored", arm.scores), ("timed", arm.seconds)):
        if _counts(histogram) > requests * 1.01 + _SCRAPES_APART:
            yield f"{_counts(histogram)} answers of the {name} were {what}, of {requests} requests"
    values = (requests, arm.failed, arm.failed_users, *(arm.scores.counts if arm.scores else ()))
    if any(value is not None and value < 0 for value in values):
        yield f"a count of the {name} is negative"


def _counts(histogram: Histogram | None) -> int:
    return histogram.count if histogram else 0
