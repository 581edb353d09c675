"""The name and the certificate by which the gateway is reached from outside the cluster, where there are any."""

from __future__ import annotations

from sluice.registry import Settings
from sluice.render.gateway import NAME
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels


def ingress(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the Ingress, none where the environment has none. The metrics' port is not behind it."""
    wanted = settings.ingress
    if wanted is None:
        return ()
    backend = {"service": {"name": NAME, "port": {"name": "http"}}}
    return (
        kubernetes_object(
            "networking.k8s.io/v1",
            "Ingress",
            NAME,
            namespace=settings.namespace,
            labels=labels(NAME, component="ingress"),
            annotations=wanted.annotations,
            spec={
                **({"ingressClassName": wanted.ingress_class} if wanted.ingress_class else {}),
                "tls": [{"hosts": [wanted.host], "secretName": wanted.tls_secret}],
                "rules": [
                    {
                        "host": wanted.host,
                        "http": {"paths": [{"path": "/v1/", "pathType": "Prefix", "backend": backend}]},
                    }
                ],
            },
        ),
    )
