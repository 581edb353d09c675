"""The API server as this package sees it: one request, one answer.

Two stand behind it: a person's kubeconfig (`sluice.deploy.cluster_access`), and a pod's own token
(`sluice.rollout.guard.in_cluster`). What sets an override is one piece of code, and a pod needs no Kubernetes client.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from sluice.errors import SluiceError

MERGE_PATCH = "application/merge-patch+json"
_SHOWN_CHARACTERS = 300
_NO_JSON = "with something that is no JSON object: is what stands there a Kubernetes?"
_NO_LIST = "with something that is no list of Kubernetes' objects: is what stands there one?"
_NO_OBJECT = "with something that is no object of Kubernetes: is what stands there one?"


class Answer(Protocol):
    """What was answered, whatever it was."""

    @property
    def status(self) -> int:
        """The status of HTTP."""

    @property
    def body(self) -> bytes:
        """What came with it."""


class Cluster(Protocol):
    """A way to the API server, by somebody's rights."""

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = ...,
        timeout_seconds: float = ...,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return the answer. Raises a SluiceError where none came."""


class ClusterRefused(SluiceError):
    """The API server answered, and not with what was asked for."""

    def __init__(self, what: str, status: int, said: str) -> None:
        self.status = status
        remedy = {
            401: "; your kubeconfig's credentials are not known to it",
            403: "; the role sluice-operator of the namespace may (`sluice:operators` in the settings gives it)",
        }.get(status, "")
        super().__init__(f"{what}: the API server answers {status}{': ' if said else ''}{said}{remedy}")


def json_object(cluster: Cluster, path: str, what: str, **query: str) -> dict[str, Any]:
    """Return the JSON object at a path. Raises `ClusterRefused`, and what `Cluster.ask` does."""
    answer = cluster.ask("GET", path, query=query)
    if answer.status != 200:
        raise refused(what, answer)
    found = parsed(answer)
    if found is None:
        raise ClusterRefused(what, answer.status, _NO_JSON)
    return found


def json_objects(cluster: Cluster, path: str, what: str, **query: str) -> list[dict[str, Any]]:
    """Return the objects of the list at a path. Raises `ClusterRefused`, and what `Cluster.ask` does."""
    found = json_object(cluster, path, what, **query).get("items")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ClusterRefused(what, 200, _NO_LIST)
    return found


def refused(what: str, answer: Answer) -> ClusterRefused:
    """Return the error of an answer, with the API server's own sentence where there is one."""
    said = parsed(answer)
    if answer.status < 300:
        return ClusterRefused(what, answer.status, _NO_JSON if said is None else _NO_OBJECT)
    return ClusterRefused(what, answer.status, str((said or {}).get("message", ""))[:_SHOWN_CHARACTERS])


def parsed(answer: Answer) -> dict[str, Any] | None:
    """Return the JSON object that was answered, None where it is none."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
