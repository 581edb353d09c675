"""What keeps the gateway there: how many pods at least through a node's repair, and more of them under load."""

from __future__ import annotations

from typing import Any

from sluice.registry import Settings
from sluice.render.gateway import NAME
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels, selector


def availability(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the disruption budget and the autoscaler, each where the environment has more than one pod to speak of."""
    disruption = () if settings.gateway.replicas == 1 else (disruption_budget(settings, NAME),)
    return disruption if settings.gateway.autoscaling is None else (*disruption, _autoscaler(settings))


def disruption_budget(settings: Settings, name: str, *, component: str = "availability") -> KubernetesObject:
    """Render a budget of one pod at a time; an unready one may always go, or no node with it could be drained."""
    return kubernetes_object(
        "policy/v1",
        "PodDisruptionBudget",
        name,
        namespace=settings.namespace,
        labels=labels(name, component=component),
        spec={
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(name)},
        },
    )


def _autoscaler(settings: Settings) -> KubernetesObject:
    wanted = settings.gateway.autoscaling
    assert wanted is not None  # noqa: S101 - asked for only where there is one
    metrics: list[dict[str, Any]] = [
        {
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": wanted.cpu_percent},
            },
        }
    ]
    if wanted.requests_in_flight is not None:
        metrics.append(
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "sluice_requests_in_flight"},
                    "target": {"type": "AverageValue", "averageValue": str(wanted.requests_in_flight)},
                },
            }
        )
    return kubernetes_object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        NAME,
        namespace=settings.namespace,
        labels=labels(NAME, component="availability"),
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": settings.gateway.replicas,
            "maxReplicas": wanted.max_replicas,
            "metrics": metrics,
            # Up at once, down one pod a minute after five quiet ones: a pod that goes takes up to two minutes to end.
            "behavior": {
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "selectPolicy": "Max",
                    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
                },
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "selectPolicy": "Max",
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                },
            },
        },
    )
