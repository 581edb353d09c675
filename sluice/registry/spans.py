"""Where every value of a YAML text begins and ends, as offsets into the text: what an edit cuts at.

A block's end is the end of its last value: the parser's own mark stands behind the comments and blank lines after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sluice.registry.quick_reading import Loader


class Kind(Enum):
    """What stands in a span."""

    SCALAR = "scalar"
    MAPPING = "mapping"
    SEQUENCE = "sequence"
    ALIAS = "alias"


@dataclass(slots=True)
class Span:
    """One value, `text[start:end]`. `style` is a scalar's quote, `|`, `>`, or empty where it stands plain."""

    kind: Kind
    start: int
    end: int
    column: int
    style: str = ""
    flow: bool = False
    anchored: bool = False
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in a mapping or a list, under its key or its index; `start` is where the key, or the item, starts."""

    key: str | int
    start: int
    column: int
    value: Span


_KINDS: dict[type, Kind] = {
    AliasEvent: Kind.ALIAS,
    ScalarEvent: Kind.SCALAR,
    MappingStartEvent: Kind.MAPPING,
    SequenceStartEvent: Kind.SEQUENCE,
}
_ENDS = frozenset({MappingEndEvent, SequenceEndEvent})


def spans_of(text: str) -> Span:
    """Return the span of the one document in `text`, which was read without findings before."""
    loader = Loader(text)
    try:
        events = iter(loader.get_event, None)
        for event in events:
            if type(event) in _KINDS:
                return _span(event, events)
    finally:
        loader.dispose()
    raise ValueError("there is no document in the text")


def _span(event: Any, events: Iterator[Any]) -> Span:
    kind = _KINDS[type(event)]
    start, end, column = event.start_mark.index, event.end_mark.index, event.start_mark.column
    anchored = event.anchor is not None
    if kind is Kind.ALIAS:
        return Span(kind, start, end, column)
    if kind is Kind.SCALAR:
        return Span(kind, start, end, column, style=event.style or "", anchored=anchored)
    span = Span(kind, start, end, column, flow=bool(event.flow_style), anchored=anchored)
    for inner in events:
        if type(inner) in _ENDS:
            if span.flow:
                span.end = inner.end_mark.index
            break
        key: str | int = inner.value if kind is Kind.MAPPING else len(span.entries)
        value = _span(next(events) if kind is Kind.MAPPING else inner, events)
        span.entries.append(Entry(key, inner.start_mark.index, inner.start_mark.column, value))
        span.end = max(span.end, value.end)
    return span
