"""Who may do what with the API server, inside the environment's namespace and nowhere else.

Roles name verbs, resources and, wherever Kubernetes allows it, the very objects; there is no wildcard and no
ClusterRole.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import Settings
from sluice.render import flags, override
from sluice.render.gateway import NAME as GATEWAY
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

GATEWAY_WATCH = "gateway-watch"


def access(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render each role, followed by the binding that gives it to somebody."""
    gateway = {"kind": "ServiceAccount", "name": GATEWAY, "namespace": settings.namespace}
    return (
        # A watch on one object is a list with a field selector on its name, which `resourceNames` lets through.
        _role(settings, GATEWAY_WATCH, _on_config_maps(["get", "list", "watch"], flags.NAME, override.NAME)),
        _binding(settings, GATEWAY_WATCH, [gateway]),
    )


def _on_config_maps(verbs: list[str], *names: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": list(names), "verbs": verbs}


def _role(settings: Settings, name: str, *rules: dict[str, Any]) -> KubernetesObject:
    return kubernetes_object(
        "rbac.authorization.k8s.io/v1",
        "Role",
        name,
        namespace=settings.namespace,
        labels=labels(name, component="access"),
        rules=list(rules),
    )


def _binding(settings: Settings, role: str, subjects: list[dict[str, Any]]) -> KubernetesObject:
    return kubernetes_object(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        role,
        namespace=settings.namespace,
        labels=labels(role, component="access"),
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        subjects=subjects,
    )
