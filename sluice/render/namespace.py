"""The namespace of an environment, which admits no pod that could harm its node."""

from __future__ import annotations

from sluice.registry import Settings
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels


def namespace(settings: Settings) -> KubernetesObject:
    """Render the namespace. The policy's version is `latest`: a cluster's newer rules hold as soon as it has them."""
    policy = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "warn", "audit")
        for suffix, value in (("", "restricted"), ("-version", "latest"))
    }
    return kubernetes_object(
        "v1",
        "Namespace",
        settings.namespace,
        namespace=None,
        labels={
            **labels("sluice", component="environment"),
            "app.kubernetes.io/instance": settings.environment,
            **policy,
        },
    )
