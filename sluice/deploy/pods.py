"""Sluice's pods, as the API server lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.deploy.cluster_access import ClusterAccess
from sluice.rollout.pod_page import GATEWAY_PODS

Pod = Mapping[str, Any]
"""A pod as the API server writes it."""


def pods_of(cluster: ClusterAccess, namespace: str) -> dict[str, Pod]:
    """Return sluice's pods in a namespace by their uid; none where the namespace is not there."""
    return {pod["metadata"]["uid"]: pod for pod in _listed(cluster, namespace, "app.kubernetes.io/part-of=sluice")}


def gateway_pods(cluster: ClusterAccess, namespace: str) -> list[Pod]:
    """Return the gateway's pods that are not told to end, ready or not. Raises `ClusterUnreachable`."""
    return [pod for pod in _listed(cluster, namespace, GATEWAY_PODS) if "deletionTimestamp" not in pod["metadata"]]


def name_of(pod: Pod) -> str:
    """Return the pod's name."""
    return str(pod["metadata"]["name"])


def is_ready(pod: Pod) -> bool:
    """Whether the pod is to get requests."""
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions(pod))


def conditions(pod: Pod) -> list[Mapping[str, str]]:
    """Return what the pod's status says of it; nothing where no kubelet has looked at it yet."""
    found: list[Mapping[str, str]] = pod.get("status", {}).get("conditions", [])
    return found


def _listed(cluster: ClusterAccess, namespace: str, selector: str) -> Sequence[Pod]:
    return cluster.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
