"""How much the environment may take of its cluster, and what a container gets that says nothing of itself."""

from __future__ import annotations

from sluice.registry import Resources, Settings
from sluice.render.container_resources import EPHEMERAL_STORAGE
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

NAME = "environment"


def quotas(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the ResourceQuota and the LimitRange, none where the environment has no quota."""
    wanted = settings.quota
    if wanted is None:
        return ()
    usual = Resources()
    return (
        kubernetes_object(
            "v1",
            "LimitRange",
            NAME,
            namespace=settings.namespace,
            labels=labels(NAME, component="quota"),
            spec={
                "limits": [
                    {
                        "type": "Container",
                        "defaultRequest": {
                            "cpu": usual.cpu_request,
                            "memory": usual.memory_request,
                            "ephemeral-storage": EPHEMERAL_STORAGE,
                        },
                        "default": {"memory": usual.memory_limit, "ephemeral-storage": EPHEMERAL_STORAGE},
                    }
                ]
            },
        ),
        kubernetes_object(
            "v1",
            "ResourceQuota",
            NAME,
            namespace=settings.namespace,
            labels=labels(NAME, component="quota"),
            spec={
                "hard": {
                    "pods": str(wanted.pods),
                    "requests.cpu": wanted.cpu,
                    "requests.memory": wanted.memory,
                    "limits.memory": wanted.memory,
                    # What would open the gateway to the world, or cost money, by a slip of the hand.
                    "services.loadbalancers": "0",
                    "services.nodeports": "0" if settings.gateway.node_port is None else "1",
                    "persistentvolumeclaims": "0",
                }
            },
        ),
    )
