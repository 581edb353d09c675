"""Turns one rendered Kubernetes object into the Pulumi resource of its kind.

The rendered object is taken as it is: what `pulumi up` applies and what `sluice render` writes are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pulumi

from components.cluster_object import ClusterObject
from sluice.render import KubernetesObject

# What Pulumi is told to wait for: it knows no readiness of an operator's kinds.
_READY_WHEN: Final[Mapping[tuple[str, str], str]] = {
    ("external-secrets.io/v1", "ExternalSecret"): "condition=Ready",
    # What a Gateway said of the route before this update is nothing.
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): (
        'jsonpath={.status.parents[*].conditions[?(@.type=="Accepted" && '
        "@.observedGeneration==$.metadata.generation)].status}=True"
    ),
}

# A pod that cannot start, keys that no store gives, or an Ingress or a route that nobody serves, fail the update in
# less than two minutes: Pulumi's own patience is ten.
_PATIENT: Final = ("Deployment", "ExternalSecret", "Ingress", "HTTPRoute")
_PATIENCE: Final = pulumi.CustomTimeouts(create="100s", update="100s", delete="100s")


def make(
    name: str,
    rendered: KubernetesObject,
    *,
    parent: pulumi.Resource,
    namespace: pulumi.Input[str] | None = None,
    options: pulumi.ResourceOptions | None = None,
    is_shared: bool = False,
) -> ClusterObject:
    """Return the resource of `rendered` as a child of `parent`, called `name` and its kind.

    `namespace` is the output of the namespace's resource: it holds the same name as the rendered object, and makes the
    object wait for the namespace when it is made and go before it when all is destroyed. `options` are for the few
    that Pulumi must not treat like the rest. What of a shared object somebody else wrote is never taken from them.
    """
    inputs: dict[str, Any] = dict(rendered.body)
    inputs["metadata"] = owned(inputs["metadata"], namespace, is_shared=is_shared)
    if rendered.first_replicas is not None:
        inputs["spec"] = {**inputs["spec"], "replicas": rendered.first_replicas}
    kind = rendered.api_version, rendered.kind
    if kind in _READY_WHEN:
        inputs["metadata"]["annotations"]["pulumi.com/waitFor"] = _READY_WHEN[kind]
    timeouts = _PATIENCE if rendered.kind in _PATIENT else None
    usual = pulumi.ResourceOptions(parent=parent, custom_timeouts=timeouts, ignore_changes=_left_alone(rendered))
    return ClusterObject(f"{name}-{rendered.kind.lower()}", inputs, pulumi.ResourceOptions.merge(usual, options))


def _left_alone(rendered: KubernetesObject) -> list[str] | None:
    """Return the fields whose value in the cluster stays, whoever set it.

    A Deployment whose pods an autoscaler counts is made with the least of them: Kubernetes' own default is one, and the
    autoscaler mends that a quarter of a minute later. From then on the number is what the cluster has, also where an
    update changes something else: Pulumi does not send a field that is left alone and that somebody else has set.
    """
    return None if rendered.first_replicas is None else ["spec.replicas"]


def make_all(
    name: str, objects: Iterable[KubernetesObject], *, parent: pulumi.Resource, namespace: pulumi.Input[str]
) -> None:
    """Make each; of several of a kind the first is called after `name` alone, the others have their number in it."""
    made: Counter[str] = Counter()
    for rendered in objects:
        number = made[rendered.kind]
        make(f"{name}-{number}" if number else name, rendered, parent=parent, namespace=namespace)
        made[rendered.kind] += 1


def owned(
    metadata: Mapping[str, Any], namespace: pulumi.Input[str] | None, *, is_shared: bool = False
) -> dict[str, Any]:
    """Return an object's metadata with its namespace and with the name under which its fields are owned.

    Pulumi makes a random owner for each object it creates. An update that is killed before it has noted that name
    leaves fields that nobody could change any more: the next update would be another owner, in conflict with it.
    What is declared is taken back from whoever changed it: after `kubectl scale` every update failed of a conflict.
    """
    annotations = {**metadata.get("annotations", {}), "pulumi.com/patchFieldManager": "sluice"}
    if not is_shared:
        annotations["pulumi.com/patchForce"] = "true"
    placed = {} if namespace is None else {"namespace": namespace}
    return {**metadata, **placed, "annotations": annotations}
