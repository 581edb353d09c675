"""One Kubernetes object as a value, and the labels and security that all of ours share.

An object here is only what should exist; who makes it, and what waits for what, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

USER_ID = 10001
"""The user that every container of ours runs as; the images make it, and kube-score wants one above 10000."""

PROGRESS_DEADLINE_SECONDS = 60
"""How long a new pod may take to get ready before the update has failed, with a minute to spare of the two allowed."""


@dataclass(frozen=True, slots=True)
class KubernetesObject:
    """A Kubernetes object: `body` is all of it, in plain JSON values, with its apiVersion, kind and metadata."""

    api_version: str
    kind: str
    name: str
    body: dict[str, Any]
    first_replicas: int | None = None
    """The pods that a Deployment is made with where an autoscaler counts them from then on; None where git does.

    It is in no manifest: who applies one again and again would undo the autoscaler each time.
    """

    @property
    def namespace(self) -> str | None:
        """The namespace it lives in, None where it lives in none."""
        namespace: str | None = self.body["metadata"].get("namespace")
        return namespace


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A Secret that must exist beside the objects: its name, its namespace and the names of its keys, never a value."""

    name: str
    namespace: str
    keys: tuple[str, ...]
    labels: Mapping[str, str]


def kubernetes_object(
    api_version: str,
    kind: str,
    name: str,
    *,
    namespace: str | None,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
    **content: Any,
) -> KubernetesObject:
    """Make an object; `content` is what stands beside its metadata: spec, data and the like."""
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(labels)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
    return KubernetesObject(api_version, kind, name, body)


def labels(name: str, *, component: str) -> dict[str, str]:
    """Return the labels of an object of sluice's, by the names that Kubernetes recommends."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "sluice",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "sluice",
    }


def selector(name: str) -> dict[str, str]:
    """Return the labels that pick an object's pods. They cannot be changed once a Deployment exists."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "sluice"}


def restricted_pod() -> dict[str, Any]:
    """Return the security context of a pod, within what Pod Security's `restricted` admits."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container() -> dict[str, Any]:
    """Return the security context of a container: `restricted`, and a root file system that cannot be written."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
