"""The judge of an environment from outside of the cluster: its Prometheus, its override, and the gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.deploy.prometheus_access import NoPrometheus, match_of, prometheus_of
from sluice.deploy.target import Target
from sluice.registry import Registry, Rollout, Settings
from sluice.rollout.case import Standing
from sluice.rollout.cluster import ClusterRefused
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.override_map import NoOverrideMap, OverrideMap, read_override_map
from sluice.rollout.record import Record
from sluice.rollout.verdicts import standing_of, verdict_of


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the override of an environment says. `say` is told where no cluster can be asked."""

    where: Target
    namespace: str
    say: Callable[[str], None]
    _said: set[str] = field(default_factory=set)

    def standings(self, rollout: Rollout) -> Mapping[str, Standing]:
        """Say of each agent whether it was rolled back; nothing where that cannot be known.

        A model enters at the first step whatever the override says, and gets nobody while one holds.
        """
        try:
            return _standings(self.where.connect(), self.namespace, rollout)
        except ClusterUnreachable as error:
            text = f"going on without knowing whether anybody was rolled back: {error}"
            if text not in self._said:
                self.say(text)
            self._said.add(text)
            return {}


@dataclass(frozen=True, slots=True)
class Judging:
    """Measures and judges by what there is at `now`. Without a Prometheus, an agent with users cannot be judged."""

    access: ClusterAccess
    settings: Settings
    now: datetime
    measuring: Measuring | None

    def standings(self, rollout: Rollout) -> Mapping[str, Standing]:
        """Say of each agent whether it was rolled back; nothing of an environment that no cluster has yet.

        Raises ClusterUnreachable, ClusterRefused.
        """
        return _standings(self.access, self.settings.namespace, rollout)

    def record(self, registry: Registry, rollout: Rollout, agent: str, standing: Standing | None) -> Record:
        """Measure and judge one agent. Raises NoCandidate, NothingToMeasureWith, CannotSee."""
        return verdict_of(registry, rollout, agent, self.now, self.measuring, standing)


def judging(access: ClusterAccess, settings: Settings, now: datetime, prometheus: str | None) -> Judging:
    """Return the judge of an environment; `prometheus` is the address of another than its settings name."""
    try:
        measuring = Measuring(prometheus_of(access, settings, prometheus), match_of(settings))
    except NoPrometheus:
        measuring = None
    return Judging(access, settings, now, measuring)


def overrides_of(where: Target, settings: Settings, say: Callable[[str], None]) -> Overrides:
    """Return what knows the override of an environment, as far as there is a cluster."""
    return Overrides(where, settings.namespace, say)


def _standings(access: ClusterAccess, namespace: str, rollout: Rollout) -> Mapping[str, Standing]:
    try:
        overrides = read_override_map(access, namespace)
    except NoOverrideMap:
        return {}
    return {agent: standing_of(overrides, rollout, agent) for agent in rollout.agents}


def override_map(where: Target, settings: Settings, say: Callable[[str], None]) -> OverrideMap | None:
    """Return an environment's overrides, those that hold and those that were lifted; None where none are to be had."""
    try:
        return read_override_map(where.connect(), settings.namespace)
    except (ClusterUnreachable, ClusterRefused) as error:
        say(f"without the cluster's overrides: {error}")
    except NoOverrideMap:
        pass
    return None
