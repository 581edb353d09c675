"""Turns one rendered Kubernetes object into the Pulumi resource of its kind.

The rendered object is taken as it is: what `pulumi up` applies and what `sluice render` writes are the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pulumi
from pulumi_kubernetes import (
    admissionregistration,
    apiextensions,
    apps,
    autoscaling,
    batch,
    coordination,
    core,
    networking,
    policy,
    rbac,
)

from sluice.render import KubernetesObject

_RESOURCES: Final[Mapping[tuple[str, str], type[pulumi.CustomResource]]] = {
    ("v1", "ConfigMap"): core.v1.ConfigMap,
    ("v1", "LimitRange"): core.v1.LimitRange,
    ("v1", "Namespace"): core.v1.Namespace,
    ("v1", "ResourceQuota"): core.v1.ResourceQuota,
    ("v1", "Secret"): core.v1.Secret,
    ("v1", "Service"): core.v1.Service,
    ("v1", "ServiceAccount"): core.v1.ServiceAccount,
    ("apps/v1", "Deployment"): apps.v1.Deployment,
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): (
        admissionregistration.v1.ValidatingAdmissionPolicy
    ),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): (
        admissionregistration.v1.ValidatingAdmissionPolicyBinding
    ),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): autoscaling.v2.HorizontalPodAutoscaler,
    ("batch/v1", "CronJob"): batch.v1.CronJob,
    ("coordination.k8s.io/v1", "Lease"): coordination.v1.Lease,
    ("networking.k8s.io/v1", "Ingress"): networking.v1.Ingress,
    ("networking.k8s.io/v1", "NetworkPolicy"): networking.v1.NetworkPolicy,
    ("policy/v1", "PodDisruptionBudget"): policy.v1.PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "Role"): rbac.v1.Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): rbac.v1.RoleBinding,
}

_DEFINED_IN_THE_CLUSTER: Final = frozenset(
    {
        "external-secrets.io/v1",
        "gateway.networking.k8s.io/v1",
        "grafana.integreatly.org/v1beta1",
        "monitoring.coreos.com/v1",
    }
)
"""The groups of kinds that a definition in the cluster brings, and that Pulumi's provider has no type for."""

# What Pulumi is told to wait for: it knows no readiness of an operator's kinds.
_READY_WHEN: Final[Mapping[tuple[str, str], str]] = {("external-secrets.io/v1", "ExternalSecret"): "condition=Ready"}

# A pod that cannot start, keys that no store gives, or an Ingress that no controller serves, fail the update in less
# than two minutes: Pulumi's own patience is ten.
_PATIENT: Final = ("Deployment", "ExternalSecret", "Ingress")
_PATIENCE: Final = pulumi.CustomTimeouts(create="100s", update="100s", delete="100s")


def make(
    name: str,
    rendered: KubernetesObject,
    *,
    parent: pulumi.Resource,
    namespace: pulumi.Input[str] | None = None,
    options: pulumi.ResourceOptions | None = None,
    is_shared: bool = False,
) -> pulumi.CustomResource:
    """Return the resource of `rendered` as a child of `parent`, called `name` and its kind.

    `namespace` is the output of the namespace's resource: it holds the same name as the rendered object, and makes the
    object wait for the namespace when it is made and go before it when all is destroyed. `options` are for the few
    that Pulumi must not treat like the rest. What of a shared object somebody else wrote is never taken from them.
    """
    inputs: dict[str, Any] = {
        _parameter(field): value for field, value in rendered.body.items() if field not in ("apiVersion", "kind")
    }
    inputs["metadata"] = owned(inputs["metadata"], namespace, is_shared=is_shared)
    if rendered.first_replicas is not None:
        inputs["spec"] = {**inputs["spec"], "replicas": rendered.first_replicas}
    kind = rendered.api_version, rendered.kind
    if kind in _READY_WHEN:
        inputs["metadata"]["annotations"]["pulumi.com/waitFor"] = _READY_WHEN[kind]
    timeouts = _PATIENCE if rendered.kind in _PATIENT else None
    usual = pulumi.ResourceOptions(parent=parent, custom_timeouts=timeouts, ignore_changes=_left_alone(rendered))
    called, opts = f"{name}-{rendered.kind.lower()}", pulumi.ResourceOptions.merge(usual, options)
    if rendered.api_version in _DEFINED_IN_THE_CLUSTER:
        return apiextensions.CustomResource(
            called, api_version=rendered.api_version, kind=rendered.kind, **inputs, opts=opts
        )
    return _RESOURCES[kind](called, **inputs, opts=opts)


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


def _parameter(field: str) -> str:
    """Return the constructor's parameter for a top-level field; what lies below keeps Kubernetes' own spelling."""
    return re.sub(r"([A-Z])", r"_\1", field).lower()
