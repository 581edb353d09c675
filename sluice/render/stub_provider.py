"""The stub provider as Kubernetes runs it, in the environments that have one: Service and Deployment.

It stands where the providers' addresses lead, in the same namespace as the gateway. There is one pod of it: what is set
while it runs is kept in its memory.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import Resources, Settings, StubProviderSettings
from sluice.render.container_resources import resources
from sluice.render.kubernetes_object import KubernetesObject, restricted_container
from sluice.render.single_pod import single_pod

NAME = "stub-provider"
PORT = 8080


def stub_provider(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the stub provider's objects, none where the environment has no stub provider."""
    if settings.stub_provider is None:
        return ()
    return single_pod(
        NAME,
        _container(settings.stub_provider),
        namespace=settings.namespace,
        component="provider",
        port_name="http",
        port=PORT,
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
