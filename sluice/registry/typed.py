"""Builds frozen dataclasses from plain values that were found right, by the dataclasses' own fields.

A dataclass says beside each field what the file calls it, where the two differ; the rest follows from its type. So the
fields of a file stand in one place in the code, which a test holds against the schema.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, partial
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Built = TypeVar("Built")
Conversion = Callable[[Any], Any]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")


@dataclasses.dataclass(frozen=True, slots=True)
class InFileAs:
    """Marks a field that the file calls `key`, None where it is not in the file under this entry."""

    key: str | None


NOT_IN_FILE = InFileAs(None)
"""Marks the name of an entry, and what is worked out from other places."""


def build(kind: type[Built], body: Mapping[str, Any], **given: Any) -> Built:
    """Build a `kind` from a mapping of the file; `given` are the fields that are not in it."""
    for field, key, convert in _fields(kind):  # type: ignore[arg-type]  # a class can be hashed
        if key in body:
            value = body[key]
            given[field] = value if convert is None else convert(value)
    return kind(**given)


def unbuilt(value: Any) -> Any:
    """Return the plain value that `build` would make this one of; what is None or not in the file is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((key, getattr(value, field)) for field, key, _ in _fields(type(value)))
        return {key: unbuilt(inner) for key, inner in fields if inner is not None}
    if isinstance(value, Mapping):
        return {name: unbuilt(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [unbuilt(item) for item in value]
    if isinstance(value, timedelta):
        return shown_duration(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value


def keys_of(kind: type[Any]) -> dict[str, str]:
    """Return the fields of a dataclass by what the file calls them."""
    return {key: field for field, key, _ in _fields(kind)}  # type: ignore[arg-type]  # a class can be hashed


def duration(text: str) -> timedelta:
    """Read `90s`, `5m`, `24h` or `2d`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


def shown_duration(time: timedelta) -> str:
    """Write a time as the files have it, in the largest unit that leaves no rest."""
    seconds = time.total_seconds()
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, str, Conversion | None], ...]:
    """Return each field with what the file calls it and how its value is converted, if it is."""
    types = get_type_hints(kind, include_extras=True)
    found = []
    for field in dataclasses.fields(kind):
        wanted, *marks = get_args(types[field.name]) if _is_marked(types[field.name]) else (types[field.name],)
        (mark,) = marks or (InFileAs(field.name),)
        if mark.key is not None:
            found.append((field.name, mark.key, _conversion(wanted)))
    return tuple(found)


def _is_marked(wanted: Any) -> bool:
    return get_origin(wanted) is Annotated


def _conversion(wanted: Any) -> Conversion | None:
    """Return how a plain value becomes a value of the wanted type, None where it is one."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in {Union, UnionType}:
        (only,) = (part for part in inner if part is not NoneType)
        return _conversion(only)
    if origin is tuple:
        one = _conversion(inner[0])
        return tuple if one is None else lambda items: tuple(map(one, items))
    if origin is Mapping:
        item = _conversion(inner[1])
        if item is None:
            return lambda items: MappingProxyType(dict(items))
        return lambda items: MappingProxyType({name: item(value) for name, value in items.items()})
    if dataclasses.is_dataclass(wanted):
        return partial(build, cast("type[Any]", wanted))
    if wanted is date:
        return date.fromisoformat
    if wanted is timedelta:
        return duration
    if wanted in {int, float} or issubclass(wanted, StrEnum):
        return cast("Conversion", wanted)
    return None
