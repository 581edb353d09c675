"""Rules about production: what serves there has a second pod, and keeps one when a node is drained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from sluice.policy.boundaries import label, namespace_of
from sluice.policy.rule import Body, EnvironmentRule

_ENOUGH = 2
_PRODUCTION = "^(.+-)?production$"
"""The environments with real users, as Python and CEL both read it: eu-production is one."""


def _serving(objects: Sequence[Body]) -> list[Body]:
    """Return production's Deployments that a Service leads to; of another environment none."""
    if not re.search(_PRODUCTION, label(namespace_of(objects), "app.kubernetes.io/instance") or ""):
        return []
    selectors = [item["spec"].get("selector") for item in objects if item.get("kind") == "Service"]
    deployments = [item for item in objects if item.get("kind") == "Deployment"]
    return [item for item in deployments if any(chosen and _fits(item, chosen) for chosen in selectors)]


def _fits(deployment: Body, labels: Mapping[str, str]) -> bool:
    has: Mapping[str, str] = deployment["spec"]["template"]["metadata"].get("labels") or {}
    return labels.items() <= has.items()


def _replicas(objects: Sequence[Body]) -> Iterator[tuple[Body, str]]:
    scaled = {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"].get("minReplicas", 1)
        for item in objects
        if item.get("kind") == "HorizontalPodAutoscaler"
    }
    for item in _serving(objects):
        least = int(scaled.get(item["metadata"]["name"], item["spec"].get("replicas", 1)))
        if least < _ENOUGH:
            yield item, f"may run {least} pod, and production serves by {_ENOUGH} at least"


def _budget(objects: Sequence[Body]) -> Iterator[tuple[Body, str]]:
    budgets = [item["spec"] for item in objects if item.get("kind") == "PodDisruptionBudget"]
    for item in _serving(objects):
        if not any(_fits(item, budget.get("selector", {}).get("matchLabels", {})) for budget in budgets):
            yield item, "has no PodDisruptionBudget, so that draining nodes may take every pod at once"


AVAILABILITY_RULES = (
    EnvironmentRule(
        "two-serve-production",
        "What serves production runs two pods at least.",
        _replicas,
        # A Deployment that leaves its replicas to an autoscaler is made with one; only the autoscaler can be asked.
        "object.kind != 'HorizontalPodAutoscaler' || !has(namespaceObject.metadata.labels) "
        "|| !('app.kubernetes.io/instance' in namespaceObject.metadata.labels) "
        f"|| !namespaceObject.metadata.labels['app.kubernetes.io/instance'].matches('{_PRODUCTION}') "
        f"|| (has(dyn(object).spec.minReplicas) && dyn(object).spec.minReplicas >= {_ENOUGH})",
    ),
    EnvironmentRule(
        "production-outlives-a-drain",
        "What serves production has a PodDisruptionBudget.",
        _budget,
    ),
)
