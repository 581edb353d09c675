"""One look of the guard's from outside of the cluster: the same measuring and judging, and no hand to act with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.launch import declared_environment
from sluice.deploy.prometheus_access import match_of, prometheus_of
from sluice.rollout.guard.configuration import GuardConfiguration
from sluice.rollout.guard.metrics import GuardMetrics
from sluice.rollout.guard.running import guard_of


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gates said of one agent, in their words."""

    agent: str
    action: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Looked:
    """Every agent that has users on its candidate; not complete where something could not be asked."""

    agents: tuple[Judged, ...]
    is_complete: bool


def look_once(
    cluster: ClusterAccess, environment: str, prometheus: str | None, *, say: Callable[[str, Mapping[str, str]], None]
) -> Looked:
    """Measure and judge each agent, and change nothing. Raises `NoPrometheus`, and what loading an environment does."""
    declared = declared_environment(environment)
    settings = declared.settings
    asked = prometheus_of(cluster, settings, prometheus)
    configuration = GuardConfiguration(
        environment, settings.namespace, asked.url, match_of(settings), declared.registry
    )
    guard = guard_of(configuration, cluster, GuardMetrics(), may_act=lambda: False, say=say, prometheus=asked)
    guard.round()
    judged = (Judged(name, one.action, one.reason, one.evidence) for name, one in guard.rulings.items())
    return Looked(tuple(judged), not guard.is_blind)
