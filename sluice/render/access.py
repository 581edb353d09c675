"""Who may do what with the API server, inside the environment's namespace and nowhere else.

Roles name verbs, resources and, wherever Kubernetes allows it, the very objects; there is no wildcard and no
ClusterRole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.registry import EmbeddedPrometheus, Settings
from sluice.render import guard, override, prometheus
from sluice.render.gateway import NAME as GATEWAY
from sluice.render.gateway import PORT_NAME as GATEWAY_PORT_NAME
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

GATEWAY_WATCH = "gateway-watch"
GUARD = guard.NAME
OPERATOR = "sluice-operator"
REVIEWER = "sluice-reviewer"

_READ = ["get", "list", "watch"]


def access(settings: Settings, flags: Sequence[str]) -> tuple[KubernetesObject, ...]:
    """Render each role, followed by the binding that gives it to somebody; `flags` are the ConfigMaps' names."""
    gateway = {"kind": "ServiceAccount", "name": GATEWAY, "namespace": settings.namespace}
    return (
        # A watch on one object is a list with a field selector on its name, which `resourceNames` lets through.
        _role(settings, GATEWAY_WATCH, _on_config_maps(_READ, *flags, override.NAME)),
        _binding(settings, GATEWAY_WATCH, [gateway]),
        _guard_account(settings),
        _role(
            settings,
            GUARD,
            _on_config_maps(_READ, *flags, override.NAME),
            _on_config_maps(["patch"], override.NAME),
            _on_config_maps(["get", "patch"], guard.FACTS),
            {**_rule("coordination.k8s.io", ["leases"], ["get", "patch"]), "resourceNames": [GUARD]},
            _rule("", ["events"], ["create"]),
        ),
        _binding(settings, GUARD, [{"kind": "ServiceAccount", "name": GUARD, "namespace": settings.namespace}]),
        _role(
            settings,
            OPERATOR,
            *_of_an_operator(),
            *_on_prometheus(settings),
            *_on_external_secrets(settings),
            *_on_the_report(settings),
            *_on_the_route(settings),
        ),
        *_binding_of_groups(settings, OPERATOR, settings.operators),
        _role(settings, REVIEWER, *_of_a_reviewer()),
        *_binding_of_groups(settings, REVIEWER, settings.reviewers),
    )


def _of_an_operator() -> list[dict[str, Any]]:
    """Return what a person on call needs: to set the override, to see everything but secrets, to ask the gateway."""
    return [
        _on_config_maps(["patch", "update"], override.NAME),
        _rule("", ["configmaps", "events", "pods", "pods/log", "services"], _READ),
        _rule("apps", ["deployments", "replicasets"], _READ),
        _rule("autoscaling", ["horizontalpodautoscalers"], _READ),
        _rule("policy", ["poddisruptionbudgets"], _READ),
        # What `sluice status` holds against git beside those; the few objects outside of the namespace it leaves out.
        _rule("", ["limitranges", "resourcequotas", "serviceaccounts"], ["get"]),
        _rule("networking.k8s.io", ["ingresses", "networkpolicies"], _READ),
        _rule("rbac.authorization.k8s.io", ["rolebindings", "roles"], ["get"]),
        # `sluice status` reads metrics of pods and `sluice ask` asks the Service, both by the API server's proxy.
        _rule("", ["pods/proxy"], ["get"]),
        {**_rule("", ["services/proxy"], ["create"]), "resourceNames": [f"{GATEWAY}:{GATEWAY_PORT_NAME}"]},
    ]


def _on_prometheus(settings: Settings) -> list[dict[str, Any]]:
    """Return what asks an embedded Prometheus by the API server's proxy; one of others is theirs to open."""
    if not isinstance(settings.prometheus, EmbeddedPrometheus):
        return []
    return [{**_rule("", ["services/proxy"], ["get"]), "resourceNames": [f"{prometheus.NAME}:{prometheus.PORT}"]}]


def _on_external_secrets(settings: Settings) -> list[dict[str, Any]]:
    """Return what says whether a store's keys have come; it holds no key."""
    return [] if settings.secrets is None else [_rule("external-secrets.io", ["externalsecrets"], _READ)]


def _on_the_report(settings: Settings) -> list[dict[str, Any]]:
    """Return what says when the report was made, and whether it was."""
    return [] if settings.report is None else [_rule("batch", ["cronjobs", "jobs"], _READ)]


def _on_the_route(settings: Settings) -> list[dict[str, Any]]:
    """Return what says whether a Gateway has accepted it."""
    return [] if settings.route is None else [_rule("gateway.networking.k8s.io", ["httproutes"], _READ)]


def _of_a_reviewer() -> list[dict[str, Any]]:
    """Return what `sluice review` and `sluice failures` need: to find a pod, and to run a program in it.

    Not an operator's: whoever runs a program in a gateway pod can read the providers' keys that are mounted there.
    Which program that may be, `sluice.render.admission` says.
    """
    return [
        _rule("", ["pods"], ["get", "list"]),
        # By a websocket, which begins with a GET, so that `get` is asked for; a newer API server asks for `create`.
        _rule("", ["pods/exec"], ["get", "create"]),
    ]


def _binding_of_groups(settings: Settings, role: str, groups: tuple[str, ...]) -> tuple[KubernetesObject, ...]:
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group} for group in groups]
    return (_binding(settings, role, subjects),) if subjects else ()


def _guard_account(settings: Settings) -> KubernetesObject:
    return kubernetes_object(
        "v1",
        "ServiceAccount",
        GUARD,
        namespace=settings.namespace,
        labels=labels(GUARD, component="access"),
        automountServiceAccountToken=False,
    )


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


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
