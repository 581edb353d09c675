"""Rules about pods, wherever one stands: by itself, or as the template of what makes pods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sluice.policy.rule import Body, ObjectRule

# `kind load` loses digests: there, an image that was built on this machine goes by a tag made of its digest.
_BY_DIGEST = r"(@sha256:[0-9a-f]{64}|^sluice\.local/[a-z-]+:[0-9a-f]{12,64})$"

CEL_VARIABLES: Mapping[str, str] = {
    "pods": (
        "dyn(object).kind == 'Pod' ? [dyn(object).spec] "
        ": dyn(object).kind == 'CronJob' ? [dyn(object).spec.jobTemplate.spec.template.spec] "
        ": has(object.spec) && has(dyn(object).spec.template) ? [dyn(object).spec.template.spec] : []"
    ),
    "containers": "variables.pods.map(pod, pod.containers + (has(pod.initContainers) ? pod.initContainers : []))",
}
"""What the expressions stand on: the object's pod, as a list of one or none, and the containers of each."""


def pod_of(item: Body) -> Body | None:
    """Return the pod's spec that an object is or makes."""
    spec: Any = item.get("spec") or {}
    match item.get("kind"):
        case "Pod":
            return dict(spec)
        case "CronJob":
            spec = spec.get("jobTemplate", {}).get("spec", {})
    pod: Body | None = spec.get("template", {}).get("spec") if isinstance(spec.get("template"), Mapping) else None
    return pod


def containers_of(item: Body) -> list[Body]:
    """Return the containers of an object's pod, those that start it too."""
    pod = pod_of(item) or {}
    return [*pod.get("containers", ()), *pod.get("initContainers", ())]


def _image(item: Body) -> Iterator[str]:
    for container in containers_of(item):
        image = container.get("image", "")
        if not re.search(_BY_DIGEST, image):
            yield f"container {container.get('name')}: image {image} is not named by its digest"


def _limits(item: Body) -> Iterator[str]:
    for container in containers_of(item):
        resources = container.get("resources") or {}
        if "memory" not in resources.get("limits", {}):
            yield f"container {container.get('name')}: has no memory limit"
        if "cpu" not in resources.get("requests", {}):
            yield f"container {container.get('name')}: asks for no CPU"


def _privilege(item: Body) -> Iterator[str]:
    pod = pod_of(item) or {}
    yield from (f"shares the node's {word}" for word in ("hostNetwork", "hostPID", "hostIPC") if pod.get(word))
    for volume in pod.get("volumes", ()):
        if "hostPath" in volume:
            yield f"volume {volume.get('name')}: mounts the node's file system"
    for container in containers_of(item):
        context = container.get("securityContext") or {}
        capabilities = context.get("capabilities") or {}
        if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
            yield f"container {container.get('name')}: is privileged, or may become so"
        if "ALL" not in capabilities.get("drop", ()) or capabilities.get("add"):
            yield f"container {container.get('name')}: keeps or adds capabilities"


def _root(item: Body) -> Iterator[str]:
    pod = pod_of(item)
    if pod is None:
        return
    if not (pod.get("securityContext") or {}).get("runAsNonRoot"):
        yield "may run as root"
    for container in containers_of(item):
        if not (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
            yield f"container {container.get('name')}: can write its root file system"


def _every_container(holds: str) -> str:
    return f"variables.containers.all(some, some.all(container, {holds}))"


POD_RULES = (
    ObjectRule(
        "image-by-digest",
        "Every image is named by its digest, so that what runs is what was reviewed.",
        _image,
        _every_container(f"has(container.image) && container.image.matches(r'{_BY_DIGEST}')"),
    ),
    ObjectRule(
        "limits-set",
        "Every container has a memory limit and asks for CPU, so that none starves its neighbours.",
        _limits,
        _every_container(
            "has(container.resources) && has(container.resources.limits) && has(container.resources.requests) "
            "&& 'memory' in container.resources.limits && 'cpu' in container.resources.requests"
        ),
    ),
    ObjectRule(
        "no-privilege",
        "No container is privileged, keeps a capability, or reaches into its node.",
        _privilege,
        "variables.pods.all(pod, !(has(pod.hostNetwork) && pod.hostNetwork) && !(has(pod.hostPID) && pod.hostPID) "
        "&& !(has(pod.hostIPC) && pod.hostIPC) && !(has(pod.volumes) && pod.volumes.exists(v, has(v.hostPath)))) && "
        + _every_container(
            "has(container.securityContext) && has(container.securityContext.allowPrivilegeEscalation) "
            "&& !container.securityContext.allowPrivilegeEscalation "
            "&& !(has(container.securityContext.privileged) && container.securityContext.privileged) "
            "&& has(container.securityContext.capabilities) && has(container.securityContext.capabilities.drop) "
            "&& 'ALL' in container.securityContext.capabilities.drop "
            "&& !(has(container.securityContext.capabilities.add) "
            "&& size(container.securityContext.capabilities.add) > 0)"
        ),
    ),
    ObjectRule(
        "read-only-root",
        "No container runs as root or can write its root file system.",
        _root,
        "variables.pods.all(pod, has(pod.securityContext) && has(pod.securityContext.runAsNonRoot) "
        "&& pod.securityContext.runAsNonRoot) && "
        + _every_container(
            "has(container.securityContext) && has(container.securityContext.readOnlyRootFilesystem) "
            "&& container.securityContext.readOnlyRootFilesystem"
        ),
    ),
)
