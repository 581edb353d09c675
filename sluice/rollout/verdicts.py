"""The judgement of an agent as git has it, by what Prometheus measured and by what the override says.

The guard judges what the cluster serves, every 15 seconds; this judges what a rollout file says, whenever somebody asks
whether it may be changed. Both ask the same gates.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sluice.errors import SluiceError
from sluice.override import Override, read_moment, read_override
from sluice.registry import Registry, Rollout
from sluice.rollout.case import RolledBack, Standing, case_of
from sluice.rollout.guard.loop import Watched
from sluice.rollout.measurements import Measurements
from sluice.rollout.override_map import OverrideMap
from sluice.rollout.record import Record, record_of
from sluice.rollout.soak import BY as EXERCISE


class Measures(Protocol):
    """Whoever can measure a rollout: `sluice.rollout.guard.measuring.Measuring`."""

    def of(self, watched: Watched, now: datetime) -> Measurements:
        """Measure one agent's rollout by what was known at `now`. Raises CannotSee."""


class NothingToMeasureWith(SluiceError):
    """Users are on a candidate, and there is no Prometheus to ask how they fare."""

    def __init__(self, environment: str, agent: str) -> None:
        super().__init__(
            f"{environment}: {agent} has users on its candidate, and no Prometheus says how they fare; "
            "missing metrics never advance a rollout: name one in the settings (sluice:prometheus)"
        )


def verdict_of(
    registry: Registry,
    rollout: Rollout,
    agent: str,
    now: datetime,
    measures: Measures | None,
    standing: Standing | None = None,
) -> Record:
    """Measure and judge one agent as `rollout` has it; the record is all that `next_step` needs.

    Where nobody is on the candidate yet nothing is measured but the month's spend, and where there is no Prometheus not
    even that. Raises NoCandidate, NothingToMeasureWith, and what measuring does (CannotSee).
    """
    stands = rollout.agents[agent]
    held = standing or Standing()
    measured = Measurements(now)
    if stands.candidate is not None and measures is not None:
        watched = Watched(agent, stands.candidate, stands.weight_percent, held.resumed_at)
        measured = measures.of(watched, now)
    elif stands.candidate is not None and stands.weight_percent:
        raise NothingToMeasureWith(rollout.environment, agent)
    return judged(registry, rollout, agent, measured, now, held)


def judged(
    registry: Registry,
    rollout: Rollout,
    agent: str,
    measured: Measurements,
    now: datetime,
    standing: Standing | None = None,
) -> Record:
    """Judge one agent by measurements that are there already. Raises NoCandidate."""
    return record_of(case_of(registry, rollout, agent, measured, now, standing))


def standing_of(overrides: OverrideMap, rollout: Rollout, agent: str) -> Standing:
    """Say what the override makes of one agent's rollout: held where it is, or let in again by a person.

    An entry that allows more than git wants takes nothing back, nor does one for another candidate; and what a soak's
    exercise lifted was no candidate's fall.
    """
    stands = rollout.agents[agent]
    holding = overrides.overrides.holding(agent, stands.candidate)
    held = [entry for _, entry in holding if entry.weight_percent <= stands.weight_percent]
    lowest = min(held, key=lambda entry: (entry.weight_percent, bool(entry.candidate)), default=None)
    lifted = (
        read_moment(one.at)
        for one in overrides.lifted
        if one.concerns(agent, stands.candidate) and read_override(one.was).by != EXERCISE
    )
    resumed = max((at for at in lifted if at is not None), default=None)
    return Standing(_rolled_back(lowest) if lowest else None, resumed)


def _rolled_back(entry: Override) -> RolledBack:
    reason = entry.reason or entry.unreadable_because or "no reason is given"
    return RolledBack(read_moment(entry.at), entry.by or "somebody", reason, bool(entry.candidate))
