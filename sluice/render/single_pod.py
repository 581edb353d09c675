"""What runs as one pod behind a Service of its own: cache, stub provider and Prometheus, which keep nothing for good.

There is never a second pod beside the first: callers would find one or the other, and each knows other things.
"""

from __future__ import annotations

from typing import Any

from sluice.render.kubernetes_object import (
    PROGRESS_DEADLINE_SECONDS,
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_pod,
    selector,
)


def single_pod(
    name: str,
    container: dict[str, Any],
    *,
    namespace: str,
    component: str,
    port_name: str,
    port: int,
    **of_the_pod: Any,
) -> tuple[KubernetesObject, KubernetesObject]:
    """Render the Service and the Deployment of `container`, which listens on the port that it calls `port_name`.

    `of_the_pod` is what the pod says beside that, such as its volumes.
    """
    named = labels(name, component=component)
    service = kubernetes_object(
        "v1",
        "Service",
        name,
        namespace=namespace,
        labels=named,
        spec={
            "type": "ClusterIP",
            "selector": selector(name),
            "ports": [{"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}],
        },
    )
    deployment = kubernetes_object(
        "apps/v1",
        "Deployment",
        name,
        namespace=namespace,
        labels=named,
        spec={
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "selector": {"matchLabels": selector(name)},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels(name, component=component)},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": restricted_pod(),
                    "terminationGracePeriodSeconds": 10,
                    "containers": [container],
                    **of_the_pod,
                },
            },
        },
    )
    return service, deployment
