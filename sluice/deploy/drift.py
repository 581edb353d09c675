"""Where an object in the cluster is not what git says: what differs, what is gone, what somebody added.

Compared is the rendered object with the one that the API server answers, with no Pulumi and no right to write. What
Kubernetes fills in by itself is no difference; what people wrote is, and they are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from sluice.deploy.field_owners import Owned, Path, fields_of_others, meet, was_taken_from_us
from sluice.registry import is_named
from sluice.render import KubernetesObject

_LONGEST_SHOWN = 60
_QUANTITIES = ("averageValue", "cpu", "ephemeral-storage", "memory", "pods", "sizeLimit", "storage")
_MISSING = object()
_SOMEBODY = Owned((), "somebody", "")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place. `wanted` and `found` are JSON, empty where there is nothing; `path` is empty for a whole object."""

    kind: str
    name: str
    path: str
    wanted: str
    found: str
    by: str = ""
    """Who wrote what was found, as the API server notes it (`kubectl-edit`); empty where it was us, or is not known."""
    at: str = ""

    def __str__(self) -> str:
        who = f" ({', '.join(filter(None, (self.by, self.at)))})" if self.by else ""
        return f"{self.kind.lower()}/{self.name}: {self._what()}{who}"

    def _what(self) -> str:
        if not self.path:
            return "is not there"
        if not self.wanted:
            return (
                f"{self.path} is {self.found}, and git says nothing of it" if self.found else f"{self.path} was added"
            )
        if not self.found:
            return f"{self.path} is gone, and git says {self.wanted}"
        if len(self.wanted) > _LONGEST_SHOWN or len(self.found) > _LONGEST_SHOWN:
            return f"{self.path} is not what git says"
        return f"{self.path} is {self.found}, and git says {self.wanted}"


def drift(item: KubernetesObject, live: Mapping[str, Any] | None) -> tuple[Difference, ...]:
    """Return where the object differs; `live` is None where it is not there."""
    if live is None:
        return (Difference(item.kind, item.name, "", "", ""),)
    others = fields_of_others(live)
    said = _compared(item.body)
    unlike = list(_unlike(said, live, ()))
    found = [_difference(item, live, path, wanted, value, _owner(others, live, path)) for path, wanted, value in unlike]
    for owned in others:
        path, wanted = _said_of(said, live, owned.path)
        value = _at(live, path)
        is_told = any(meet(path, told) for told, _, _ in unlike)
        if not is_told and not _is_note(item, owned.path) and (wanted is _MISSING or _has_more(value, wanted)):
            found.append(_difference(item, live, path, wanted, value, owned))
    return tuple(dict.fromkeys(found))


def _compared(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what git says of an object beside what it is called."""
    metadata = {name: body["metadata"][name] for name in ("labels", "annotations") if name in body["metadata"]}
    content = {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata")}
    return {"metadata": metadata, **content}


def _unlike(wanted: Any, live: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Yield where `live` lacks or changes something that `wanted` has; what it has beside that is nobody's matter."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            if key in live:
                yield from _unlike(value, live[key], (*path, key))
            elif value not in ({}, [], "", None):  # the API server leaves out what is empty
                yield (*path, key), value, _MISSING
    elif isinstance(wanted, list) and isinstance(live, list):
        yield from _unlike_lists(wanted, live, path)
    elif not _alike(wanted, live, path):
        yield path, wanted, live


def _unlike_lists(wanted: Sequence[Any], live: Sequence[Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if _has_names(wanted) and _has_names(live):
        for item in wanted:
            index = _index(live, item)
            if index is None:
                yield (*path, len(live)), item, _MISSING
            else:
                yield from _unlike(item, live[index], (*path, index))
    elif len(wanted) == len(live):
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _unlike(one, other, (*path, index))
    else:
        yield path, wanted, live


def _alike(wanted: Any, live: Any, path: Path) -> bool:
    if wanted == live:
        return True
    # An image that git does not name was built, and named for the time of an update.
    if path[-1] == "image" and isinstance(wanted, str) and not is_named(wanted):
        return True
    return path[-1] in _QUANTITIES and _quantity(wanted) == _quantity(live) is not None


def _quantity(value: Any) -> Decimal | None:
    try:
        return Decimal(parse_quantity(value))
    except (TypeError, ValueError):
        return None


def _said_of(wanted: Any, live: Any, path: Path) -> tuple[Path, Any]:
    """Return what git says of a place; where it says nothing, the outermost part of the path that it does not know."""
    for depth, step in enumerate(path):
        if isinstance(wanted, dict) and isinstance(step, str):
            if step not in wanted:
                return path[: depth + 1], _MISSING
            wanted, live = wanted[step], live[step]
        elif isinstance(wanted, list) and isinstance(step, int):
            live = live[step]
            index = _index(wanted, live) if _has_names(wanted) else step
            if index is None or index >= len(wanted):
                return path[: depth + 1], _MISSING
            wanted = wanted[index]
        else:
            return path, wanted  # a value where the cluster has an object: that is a difference, and told
    return path, wanted


def _has_more(live: Any, wanted: Any) -> bool:
    """Whether something that is written as a whole has a field or an element that git does not know."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return any(key not in wanted or _has_more(value, wanted[key]) for key, value in live.items())
    if isinstance(live, list) and isinstance(wanted, list):
        return len(live) != len(wanted) or any(map(_has_more, live, wanted))
    return False


def _is_note(item: KubernetesObject, path: Path) -> bool:
    """Whether others may write it: annotations, what is in no specification, and content that git leaves to them."""
    if path[0] == "metadata":
        return path[1:2] != ("labels",)
    # The override, and the Lease and the facts of the guard: git says that they are, and others what is in them.
    of_others = path[0] in ("data", "binaryData", "spec") and not {"data", "spec"} & item.body.keys()
    return "annotations" in path or path[0] == "status" or of_others


def _has_names(values: Sequence[Any]) -> bool:
    return all(isinstance(value, dict) and "name" in value for value in values)


def _index(values: Sequence[Any], item: Mapping[str, Any]) -> int | None:
    return next((index for index, value in enumerate(values) if value["name"] == item.get("name")), None)


def _owner(others: Sequence[Owned], live: Mapping[str, Any], path: Path) -> Owned | None:
    """Return who wrote at a place last: the place itself, what is around it, or something in it; None if it was us."""
    fitting = [one for one in others if meet(one.path, path)]
    if fitting:
        return max(fitting, key=lambda one: one.at)
    return _SOMEBODY if _is_in(live, path) and was_taken_from_us(live, path) else None


def _is_in(live: Any, path: Path) -> bool:
    """Whether the object has the place at all: what is not there yet was taken from nobody."""
    for step in path:
        if not (step in live if isinstance(live, dict) else isinstance(step, int) and step < len(live)):
            return False
        live = live[step]
    return True


def _at(live: Any, path: Path) -> Any:
    for step in path:
        live = live[step]
    return live


def _difference(
    item: KubernetesObject, live: Mapping[str, Any], path: Path, wanted: Any, found: Any, owner: Owned | None
) -> Difference:
    said = "" if wanted is _MISSING else _json(wanted)
    seen = "" if found is _MISSING else _json(found)
    if wanted is _MISSING and len(seen) > _LONGEST_SHOWN:
        seen = ""
    shown = _shown(path, live, wanted)
    return Difference(item.kind, item.name, shown, said, seen, owner.by if owner else "", owner.at if owner else "")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(path: Path, live: Any, wanted: Any) -> str:
    """Write a path as people do, an element of a list by its name where it has one."""
    text = ""
    for step in path:
        inner: Any = None
        if isinstance(step, str):
            text += f".{step}" if text else step
            inner = live.get(step) if isinstance(live, dict) else None
        else:
            inner = live[step] if isinstance(live, list) and step < len(live) else wanted
            name = inner.get("name") if isinstance(inner, dict) else None
            text += f"[{name or step}]"
        live = inner
    return text
