"""The stub provider as Kubernetes runs it, in the environments that have one: Service and Deployment.

It stands where the providers' addresses lead, in the same namespace as the gateway. There is one pod of it: what is set
while it runs is kept in its memory.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import Resources, Settings, StubProviderSettings
from sluice.render.container_resources import resources
from sluice.render.kubernetes_object import (
    PROGRESS_DEADLINE_SECONDS,
    KubernetesObject,
    kubernetes_object,
    labels,
    restricted_container,
    restricted_pod,
    selector,
)

NAME = "stub-provider"
PORT = 8080


def stub_provider(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the stub provider's objects, none where the environment has no stub provider."""
    if settings.stub_provider is None:
        return ()
    return (_service(settings), _deployment(settings, settings.stub_provider))


def _service(settings: Settings) -> KubernetesObject:
    return kubernetes_object(
        "v1",
        "Service",
        NAME,
        namespace=settings.namespace,
        labels=labels(NAME, component="provider"),
        spec={
            "type": "ClusterIP",
            "selector": selector(NAME),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    )


def _deployment(settings: Settings, own: StubProviderSettings) -> KubernetesObject:
    return kubernetes_object(
        "apps/v1",
        "Deployment",
        NAME,
        namespace=settings.namespace,
        labels=labels(NAME, component="provider"),
        spec={
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels(NAME, component="provider")},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": restricted_pod(),
                    "terminationGracePeriodSeconds": 10,
                    "containers": [_container(own)],
                },
            },
        },
    )


def _container(own: StubProviderSettings) -> dict[str, Any]:
    answers = {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 2}
    # A test makes it answer slowly or not at all: that takes it out of the Service and does not restart it.
    listens = {"tcpSocket": {"port": "http"}, "timeoutSeconds": 2}
    return {
        "name": NAME,
        "image": own.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {**answers, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {**answers, "periodSeconds": 2, "failureThreshold": 2},
        "livenessProbe": {**listens, "periodSeconds": 10, "failureThreshold": 3},
        "resources": resources(Resources(cpu_request="50m")),
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
