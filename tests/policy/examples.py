"""An object that keeps every rule and, for each rule, ways to break it: for the pure checks and for a live server."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

LABELS = {"app.kubernetes.io/name": "made"}


def pod() -> dict[str, Any]:
    return {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "made",
                "image": "registry.example.com/made@sha256:" + "0" * 64,
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def made(api: str, kind: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "made", "labels": dict(LABELS)}, **content}


def deployment() -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": pod()}
    return made(
        "apps/v1", "Deployment", spec={"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template}
    )


def cron_job() -> dict[str, Any]:
    template = {"spec": {**pod(), "restartPolicy": "Never"}}
    return made("batch/v1", "CronJob", spec={"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}})


def service(**spec: Any) -> dict[str, Any]:
    return made("v1", "Service", spec={"selector": LABELS, "ports": [{"port": 80}], **spec})


def role(**rule: Any) -> dict[str, Any]:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], **rule}]
    return made("rbac.authorization.k8s.io/v1", "Role", rules=rules)


def binding(kind: str, name: str) -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return made("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef=reference, subjects=[])


KEPT = [
    deployment(),
    cron_job(),
    made("v1", "Pod", spec=pod()),
    service(),
    role(),
    binding("Role", "made"),
]
"""Objects that keep every rule about one object."""


@dataclass(frozen=True)
class Broken:
    """An object that breaks one rule and no other."""

    rule: str
    title: str
    body: dict[str, Any] = field(repr=False)


def _with_container(item: dict[str, Any], where: str = "containers", **changes: Any) -> dict[str, Any]:
    changed = deepcopy(item)
    spec = changed["spec"]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    spec = spec.get("template", {}).get("spec", spec)
    container = {**deepcopy(spec["containers"][0]), **changes}
    if where == "containers":
        spec["containers"] = [container]
    else:
        spec[where] = [{**container, "name": "first"}]
    return changed


def _with_pod(**changes: Any) -> dict[str, Any]:
    changed = deployment()
    changed["spec"]["template"]["spec"].update(changes)
    return changed


def _context(**changes: Any) -> dict[str, Any]:
    return {"securityContext": {**pod()["containers"][0]["securityContext"], **changes}}


_TAG = {"image": "registry.example.com/made:latest"}

BROKEN = [
    Broken("image-by-digest", "an image by tag", _with_container(deployment(), **_TAG)),
    Broken("image-by-digest", "an image by tag in a pod", _with_container(made("v1", "Pod", spec=pod()), **_TAG)),
    Broken("image-by-digest", "an image by tag in a CronJob", _with_container(cron_job(), **_TAG)),
    Broken("image-by-digest", "an image by tag at the start", _with_container(deployment(), "initContainers", **_TAG)),
    Broken("limits-set", "no resources", _with_container(deployment(), resources={})),
    Broken(
        "limits-set",
        "no memory limit",
        _with_container(deployment(), resources={"requests": {"cpu": "1", "memory": "1Mi"}}),
    ),
    Broken("limits-set", "no CPU asked for", _with_container(deployment(), resources={"limits": {"memory": "1Mi"}})),
    Broken("no-privilege", "escalation", _with_container(deployment(), **_context(allowPrivilegeEscalation=True))),
    Broken("no-privilege", "a capability", _with_container(deployment(), **_context(capabilities={"drop": ["CHOWN"]}))),
    Broken("no-privilege", "the node's network", _with_pod(hostNetwork=True)),
    Broken("no-privilege", "the node's files", _with_pod(volumes=[{"name": "node", "hostPath": {"path": "/"}}])),
    Broken(
        "read-only-root", "a root to write", _with_container(deployment(), **_context(readOnlyRootFilesystem=False))
    ),
    Broken("read-only-root", "no word about root", _with_pod(securityContext={})),
    Broken("no-wildcard-access", "any verb", role(verbs=["*"])),
    Broken("no-wildcard-access", "any resource", role(resources=["*"])),
    Broken("no-wildcard-access", "an administrator", binding("ClusterRole", "cluster-admin")),
    Broken("no-load-balancer", "a load balancer", service(type="LoadBalancer")),
    Broken("no-load-balancer", "an external address", service(externalIPs=["192.0.2.1"])),
]
"""Objects that break one rule about one object each."""
