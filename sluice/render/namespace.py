"""The namespace of an environment, which admits no pod that could harm its node."""

from __future__ import annotations

from sluice.policy.boundaries import ANSWERS_LABEL
from sluice.registry import Settings
from sluice.render.following import KEPT
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

POD_SECURITY_VERSION = "v1.33"
"""Whose `restricted` holds: with `latest`, a cluster's upgrade could refuse the pods that it ran the day before."""


def namespace(settings: Settings) -> KubernetesObject:
    """Render the namespace, with what it admits of pods."""
    policy = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "warn", "audit")
        for suffix, value in (("", "restricted"), ("-version", POD_SECURITY_VERSION))
    }
    return kubernetes_object(
        "v1",
        "Namespace",
        settings.namespace,
        namespace=None,
        labels={
            **labels("sluice", component="environment"),
            "app.kubernetes.io/instance": settings.environment,
            ANSWERS_LABEL: "real" if settings.stub_provider is None else "made",
            **policy,
        },
        annotations=KEPT,
    )
