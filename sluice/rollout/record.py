"""The record of a judgement: verdict, everything it was made from, and by which version, as JSON.

Whoever doubts a decision replays it: the same case under the same version gives the same verdict, on any machine.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from sluice import __version__
from sluice.rollout.case import Case
from sluice.rollout.gates import GATES_VERSION, judge
from sluice.rollout.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Record:
    """One judgement: the versions of the gates and of sluice that made it, the case, and the verdict."""

    gates: int
    sluice: str
    case: Case
    verdict: Verdict


class UnreadableRecord(ValueError):
    """A text is no record of a judgement, or one of a form that is not known here."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"not a record of a judgement: {problem}; write it by `record_of` and keep it as it is")


def record_of(case: Case) -> Record:
    """Judge a case and keep the record of it."""
    return Record(GATES_VERSION, __version__, case, judge(case))


def replay(record: Record) -> Verdict:
    """Judge a record's case again, by the gates as they are now."""
    return judge(record.case)


def written(record: Record) -> str:
    """Write a record as one line of JSON."""
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def read(text: str) -> Record:
    """Read what `written` wrote. Raises UnreadableRecord."""
    try:
        return cast("Record", _built(Record, json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableRecord(f"{type(error).__name__}: {error}"[:200]) from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value


@cache
def _types(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _built(wanted: Any, value: Any) -> Any:
    if get_origin(wanted) in {Union, UnionType}:
        (only,) = (part for part in get_args(wanted) if part is not NoneType)
        return None if value is None else _built(only, value)
    if get_origin(wanted) is tuple:
        return tuple(_built(get_args(wanted)[0], item) for item in value)
    if dataclasses.is_dataclass(wanted):
        types = _types(wanted)  # type: ignore[arg-type]  # a class can be hashed
        # A field that came later is at its default in a record from before; one without a default is missed.
        return cast("type[Any]", wanted)(**{name: _built(types[name], value[name]) for name in types if name in value})
    if wanted is datetime:
        return datetime.fromisoformat(value)
    if wanted is timedelta:
        return timedelta(seconds=value)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return wanted(value)
    return _scalar(wanted, value)


def _scalar(wanted: type[Any], value: Any) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise TypeError(f"{value!r} is not {wanted.__name__}")
    return value
