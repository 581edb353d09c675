"""Judges agents by what a test says was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sluice.gitops.advancing import Outcome
from sluice.registry import Registry, Rollout
from sluice.rollout import Measurements, Standing
from sluice.rollout.guard.loop import CannotSee
from sluice.rollout.record import Record
from sluice.rollout.verdicts import judged
from tests.rollout.examples import NOW, arm, dear, measured, period

FILE = "registry/rollouts/staging.yaml"


@dataclass
class MadeJudge:
    """Judges by measurements that a test gives, by the real gates."""

    measurements: dict[str, Measurements] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)

    def standings(self, rollout: Rollout) -> Mapping[str, Standing]:
        return self.standing

    def record(self, registry: Registry, rollout: Rollout, agent: str, standing: Standing | None) -> Record:
        if agent not in self.measurements:
            raise CannotSee("Prometheus does not answer")
        return judged(registry, rollout, agent, self.measurements[agent], NOW, standing)


def few() -> Measurements:
    return measured(period(arm(12), dear(900)))


def all_of_them() -> Measurements:
    began = NOW - timedelta(days=8)
    return measured(
        period(arm(1000, failed=10), dear(1000, failed=10), weight=50, began=began),
        period(arm(2000, failed=20), dear(0), weight=100, began=began + timedelta(days=3)),
    )


def failing() -> Measurements:
    return measured(period(arm(100, failed=60), dear(900, failed=9)))


Advance = Callable[..., list[Outcome]]
