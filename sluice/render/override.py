"""The ConfigMap `override`: the running system's own veto, which sends an agent, or all, to the baseline.

It is declared without data, and whoever applies it never touches the data: `sluice rollback`, the guard and people
write it while the system runs, and `pulumi up`, `kubectl apply`, Flux and a restart leave what they wrote in force.
"""

from __future__ import annotations

from sluice.override import NAME
from sluice.registry import Settings
from sluice.render.following import KEPT, OTHERS_WRITE
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

__all__ = ["NAME", "override"]


def override(settings: Settings) -> KubernetesObject:
    """Render the ConfigMap as it is before anybody vetoed anything: without data, not with empty data."""
    return kubernetes_object(
        "v1",
        "ConfigMap",
        NAME,
        namespace=settings.namespace,
        labels=labels("gateway", component="override"),
        annotations={**OTHERS_WRITE, **KEPT},
    )
