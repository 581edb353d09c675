"""Whether a controller in the cluster follows git for an environment, Flux or Argo CD, and how far it has come.

It is told by what both write on the objects that they apply, and then asked of their own object: what they wrote stays
when they have gone. Where one follows, Pulumi must not apply, too: each would take back what the other did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.deploy.cluster_access import ClusterAccess, NotAllowed
from sluice.errors import AnswerIsNo

_FLAGS = "flags"
"""The ConfigMap that says who gets what: whoever applies it, rolls out."""

_FLUX = "kustomize.toolkit.fluxcd.io"
_ARGO_CD = "argoproj.io"
_TRACKING = "argocd.argoproj.io/tracking-id"


@dataclass(frozen=True, slots=True)
class Follower:
    """One that follows git. `revision` is what it applied last, `trouble` why it has not applied a newer one.

    One that is stopped is in no trouble: what it could not apply before is nobody's complaint any more.
    """

    name: str
    """In words: Flux's kustomization flux-system/sluice."""
    at_once: str
    """What makes it look at git now."""
    to_stop: str
    """What makes it leave the environment alone until it is told otherwise."""
    is_stopped: bool = False
    revision: str = ""
    trouble: str = ""

    def __str__(self) -> str:
        if self.is_stopped:
            return f"{self.name} is stopped, and applies nothing"
        applied = f" has applied {self.revision}" if self.revision else " follows git"
        return f"{self.name}{applied}{f'; {self.trouble}' if self.trouble else ''}"


class FollowedByAnother(AnswerIsNo):
    """An update was asked for where another follows git, and would take it back, or be taken back by it."""

    def __init__(self, environment: str, follower: Follower) -> None:
        super().__init__(
            f"{environment}: {follower.name} applies it from git; merge what should change (at once: "
            f"{follower.at_once}), or first stop it: {follower.to_stop}"
        )


def follower(access: ClusterAccess, namespace: str) -> Follower | None:
    """Return who follows git for the environment in the namespace, None where nobody does.

    Raises `ClusterUnreachable`. Whoever may not ask the follower's own object is told what the objects say.
    """
    try:
        flags = access.find(f"/api/v1/namespaces/{namespace}/configmaps/{_FLAGS}") or {}
    except NotAllowed:
        return None
    metadata = flags.get("metadata", {})
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    found = None
    if f"{_FLUX}/name" in labels:
        found = _flux(access, labels[f"{_FLUX}/name"], labels.get(f"{_FLUX}/namespace", ""))
    if _TRACKING in annotations and (found is None or found.is_stopped):
        found = _argo_cd(access, str(annotations[_TRACKING]).partition(":")[0]) or found
    return found


def require_no_follower(access: ClusterAccess, environment: str, namespace: str) -> None:
    """Raise `FollowedByAnother` where something else applies the environment from git, and is not stopped."""
    found = follower(access, namespace)
    if found is not None and not found.is_stopped:
        raise FollowedByAnother(environment, found)


def _flux(access: ClusterAccess, name: str, namespace: str) -> Follower | None:
    which = f"{name} --namespace {namespace}"
    words = (
        f"Flux's kustomization {namespace}/{name}",
        f"flux reconcile kustomization {which} --with-source",
        f"flux suspend kustomization {which}",
    )
    try:
        found = access.find(f"/apis/{_FLUX}/v1/namespaces/{namespace}/kustomizations/{name}")
    except NotAllowed:
        return Follower(*words)
    if found is None:
        return None
    status: Mapping[str, Any] = found.get("status") or {}
    conditions: Sequence[Mapping[str, str]] = status.get("conditions") or ()
    ready = next((one for one in conditions if one.get("type") == "Ready"), {})
    is_stopped = bool(found["spec"].get("suspend"))
    return Follower(
        *words,
        is_stopped=is_stopped,
        revision=str(status.get("lastAppliedRevision", "")),
        trouble=_trouble(ready.get("message", "")) if ready.get("status") == "False" and not is_stopped else "",
    )


def _argo_cd(access: ClusterAccess, tracked: str) -> Follower | None:
    namespace, _, name = tracked.rpartition("_")
    namespace = namespace or "argocd"
    words = (
        f"Argo CD's application {namespace}/{name}",
        f"argocd app sync {name}",
        f"argocd app set {name} --sync-policy none",
    )
    try:
        found = access.find(f"/apis/{_ARGO_CD}/v1alpha1/namespaces/{namespace}/applications/{name}")
    except NotAllowed:
        return Follower(*words)
    if found is None:
        return None
    status: Mapping[str, Any] = found.get("status") or {}
    sync, operation = status.get("sync") or {}, status.get("operationState") or {}
    automated = (found["spec"].get("syncPolicy") or {}).get("automated")
    # It may be there and be switched off: https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/.
    is_stopped = automated is None or automated.get("enabled") is False
    has_failed = operation.get("phase") in ("Failed", "Error")
    return Follower(
        *words,
        is_stopped=is_stopped,
        revision=str(sync.get("revision", "")),
        trouble=_trouble(operation.get("message", "")) if has_failed and not is_stopped else "",
    )


def _trouble(message: str) -> str:
    return " ".join(f"not what came after: {message}".split())[:400]
