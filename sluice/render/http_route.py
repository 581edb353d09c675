"""The gateway's name at a Gateway of the cluster's, by the Gateway API, where an environment has one.

The Gateway, its address and its certificate are the cluster's own: one of them serves many teams. The route names the
listener it wants, so that what has no certificate leads nowhere.
"""

from __future__ import annotations

from sluice.registry import Settings
from sluice.render.gateway import NAME, PORT
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

API_VERSION = "gateway.networking.k8s.io/v1"


def http_route(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the HTTPRoute, none where the environment has none. The metrics' port is not behind it."""
    wanted = settings.route
    if wanted is None:
        return ()
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": wanted.gateway,
        "namespace": wanted.gateway_namespace,
        "sectionName": wanted.listener,
    }
    # Left out, a proxy's own patience holds, which is 15 seconds in some: an answer may take longer than that.
    patience = {"request": f"{settings.gateway.longest_request_seconds}s"}
    return (
        kubernetes_object(
            API_VERSION,
            "HTTPRoute",
            NAME,
            namespace=settings.namespace,
            labels=labels(NAME, component="ingress"),
            spec={
                "parentRefs": [parent],
                "hostnames": [wanted.host],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}],
                        "backendRefs": [{"group": "", "kind": "Service", "name": NAME, "port": PORT, "weight": 1}],
                        "timeouts": patience,
                    }
                ],
            },
        ),
    )
