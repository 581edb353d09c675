"""Who owns which field of an object in the cluster, by what the API server notes in `managedFields`.

It is how a change by hand is told from a change in git that was not applied yet, and how what somebody added is told
from what Kubernetes fills in. The form: https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""Where a value stands in an object: names of fields, and numbers in lists."""

US = "sluice"
"""The name under which Pulumi writes our objects (`components.kubernetes_objects`)."""

_OURS = (US, "kustomize-controller", "argocd-controller")
"""Who applies what git says is as good as we: Flux and Argo CD. What they add of their own is no change by hand."""

_OF_KUBERNETES = ("kube-", "cloud-controller-manager", "k3s", "system:")
"""How the managers begin that are Kubernetes itself: controllers, which fill in and count."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A field, who wrote it last, and when, in RFC 3339."""

    path: Path
    by: str
    at: str


def fields_of_others(live: Mapping[str, Any]) -> tuple[Owned, ...]:
    """Return the fields of an object that neither we nor Kubernetes wrote; of a list or object as far as it is split.

    What belongs to a subresource, such as its status or the number that an autoscaler sets, is left out, unless a
    person wrote it by `kubectl scale`.
    """
    found = []
    for entry in _entries(live):
        by = str(entry.get("manager", ""))
        if by in _OURS or by.startswith(_OF_KUBERNETES) or entry.get("subresource") == "status":
            continue
        at = str(entry.get("time", ""))
        found += [Owned(path, by, at) for path in _leaves(entry.get("fieldsV1") or {}, live, ())]
    return tuple(found)


def was_taken_from_us(live: Mapping[str, Any], path: Path) -> bool:
    """Whether we write this object and do not own this field any more: somebody wrote it, and is not always named."""
    ours = [entry for entry in _entries(live) if entry.get("manager") in _OURS and entry.get("operation") == "Apply"]
    owned = (leaf for entry in ours for leaf in _leaves(entry.get("fieldsV1") or {}, live, ()))
    return bool(ours) and not any(meet(leaf, path) for leaf in owned)


def meet(one: Path, other: Path) -> bool:
    """Whether one is the other, or lies in it, or around it."""
    return all(mine == theirs for mine, theirs in zip(one, other, strict=False))


def _entries(live: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = live.get("metadata", {}).get("managedFields", ())
    return entries


def _leaves(fields: Mapping[str, Any], value: Any, path: Path) -> Iterator[Path]:
    """Walk the notes beside the object: what they name and the object does not hold any more is left out."""
    for key, below in fields.items():
        if key == ".":
            continue
        step = _step(key, value)
        if step is None:
            continue
        inner = {name: rest for name, rest in below.items() if name != "."}
        if inner:
            yield from _leaves(inner, value[step], (*path, step))
        else:
            yield (*path, step)


def _step(key: str, value: Any) -> str | int | None:
    kind, _, rest = key.partition(":")
    if kind == "f" and isinstance(value, dict):
        return rest if rest in value else None
    if isinstance(value, list):
        if kind == "k":
            return _index_of(value, json.loads(rest))
        if kind == "v":
            wanted = json.loads(rest)
            return value.index(wanted) if wanted in value else None
    return None


def _index_of(values: Sequence[Any], keys: Mapping[str, Any]) -> int | None:
    for index, value in enumerate(values):
        if isinstance(value, dict) and all(value.get(name) == wanted for name, wanted in keys.items()):
            return index
    return None
