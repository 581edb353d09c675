"""Reads a YAML file value by value, knows where each of them stands, and says what is wrong.

It builds the values from the parser's events itself, and so holds the promises that a YAML library's own loader does
not make: no key twice, no alias that could unfold into gigabytes, no tag that makes an object, no number that JSON
cannot hold, bounded size and depth. Every refusal is a finding with its place; nothing else escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from yaml import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sluice.registry.anchors import Anchors, TooMuchRepeated, UnknownAnchor, merged
from sluice.registry.bounds import MAX_DEPTH, MAX_FINDINGS, MAX_VALUES, UNSEEN
from sluice.registry.findings import MEND_THOSE_FIRST, Finding, dotted
from sluice.registry.places import NOTHING_WITHIN, TOP, Mark, Spot, Steps, place_of
from sluice.registry.quick_reading import Loader
from sluice.registry.scalars import AmbiguousScalar, Scalar, meaning
from sluice.registry.syntax_mistakes import syntax_mistake

_MERGE_KEY = "<<"


def read_exactly(text: str, file: str) -> tuple[Any, Spot | None, tuple[Finding, ...]]:
    """Return the values in `text` and where they stand, or no spot and at least one finding."""
    reader = _Reader(text, file)
    try:
        data, spot = reader.read()
    except _Refused as refused:
        return None, None, (*reader.findings, refused.finding)
    return (None, None, tuple(reader.findings)) if reader.findings else (data, spot, ())


class _Refused(Exception):
    """The file cannot be read any further."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class _Reader:
    """Builds one document from the parser's events; collects what can be passed over, stops at what cannot."""

    def __init__(self, text: str, file: str) -> None:
        self.findings: list[Finding] = []
        self._text = text
        self._file = file
        self._anchors = Anchors()
        self._values = 0

    def read(self) -> tuple[Any, Spot]:
        data: Any = None
        spot: Spot | None = None
        events = self._events()
        for event in events:
            mark: Any = event.start_mark
            if isinstance(event, DocumentStartEvent) and spot is not None:
                self._refuse(mark, (), "has a second document", "keep one document in a file", "SL008")
            elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent, AliasEvent)):
                data, spot = self._value(event, events, (), None)
        if data is None or spot is None:
            self._refuse(TOP, (), "is empty", "write version: 1 and what follows it", "SL010")
        return data, spot

    def _events(self) -> Iterator[Any]:
        loader = Loader(self._text)
        last: Any = TOP
        try:
            while event := loader.get_event():
                last = event.start_mark
                yield event
        except YAMLError as error:
            place, problem, remedy = syntax_mistake(error, self._text, place_of(last))
            self._refuse(Mark(place.line - 1, place.column - 1), (), problem, remedy, "SL004")
        finally:
            loader.dispose()

    def _value(self, event: Any, events: Iterator[Any], path: Steps, key: Mark | None) -> tuple[Any, Spot]:
        mark = event.start_mark
        self._count(mark, path)
        if isinstance(event, AliasEvent):
            return self._repeated(event, mark, path), Spot(mark, key or mark, NOTHING_WITHIN)
        if event.tag is not None:
            self._refuse(mark, path, "has a tag", "take out the word that starts with an exclamation mark", "SL007")
        value: Any
        if isinstance(event, ScalarEvent):
            value = self._scalar(event, mark, path)
            if event.anchor is not None:
                self._anchors.define(event.anchor, value)
            return value, Spot(mark, key or mark, NOTHING_WITHIN)
        within: dict[str | int, Spot] = {}
        if len(path) >= MAX_DEPTH:
            self._refuse(mark, path, f"is nested more than {MAX_DEPTH} deep", "nothing here needs a third", "SL002")
        elif isinstance(event, MappingStartEvent):
            value = self._mapping(events, path, within)
        else:
            value = self._sequence(events, path, within)
        if event.anchor is not None:
            self._anchors.define(event.anchor, value)
        return value, Spot(mark, key or mark, within)

    def _repeated(self, event: Any, mark: Mark, path: Steps) -> Any:
        try:
            return self._anchors.value(event.anchor, deeper=len(path))
        except UnknownAnchor:
            problem, remedy = "is an alias of nothing", "write the value out, or name an anchor that stands further up"
        except TooMuchRepeated as error:
            problem, remedy = str(error), "write the value out where it is used"
        return self._refuse(mark, path, problem, remedy, "SL006")

    def _sequence(self, events: Iterator[Any], path: Steps, within: dict[str | int, Spot]) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            index = len(items)
            item, within[index] = self._value(event, events, (*path, index), None)
            items.append(item)
        return items

    def _mapping(self, events: Iterator[Any], path: Steps, within: dict[str | int, Spot]) -> dict[str, Any]:
        own: dict[str, Any] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            mark = event.start_mark
            key = self._key(event, path)
            value, spot = self._value(next(events), events, (*path, key), mark)
            if key in within:
                first = within[key].key.line + 1
                self._report(mark, (*path, key), "is written twice", f"keep one; the other is in line {first}", "SL005")
                continue
            own[key], within[key] = value, spot
        if _MERGE_KEY not in own:
            return own
        return self._merged(own, path, within)

    def _merged(self, own: dict[str, Any], path: Steps, within: dict[str | int, Spot]) -> dict[str, Any]:
        merge = within.pop(_MERGE_KEY)
        values = merged(own.pop(_MERGE_KEY), own)
        if values is None:
            self._refuse(merge.key, path, "has a merge key without a mapping", "merge an alias of a mapping", "SL006")
        for key in values:
            within.setdefault(key, Spot(merge.value, merge.key, NOTHING_WITHIN))
        return values

    def _key(self, event: Any, path: Steps) -> str:
        mark = event.start_mark
        self._count(mark, path)
        if not isinstance(event, ScalarEvent) or event.anchor is not None or event.tag is not None:
            self._refuse(mark, path, "has a key that is not a name", "write a plain name before the colon", "SL007")
        return self._seen(event.value, mark, path)

    def _scalar(self, event: Any, mark: Mark, path: Steps) -> Scalar:
        text = self._seen(event.value, mark, path)
        if event.style:
            return text
        try:
            return meaning(text)
        except AmbiguousScalar as scalar:
            self._report(mark, path, scalar.problem, scalar.remedy, "SL009")
            return 0

    def _seen(self, text: str, mark: Mark, path: Steps) -> str:
        """Refuse what only an escape can put into a value: the file's own characters were looked at before."""
        unseen = None if text.isprintable() else UNSEEN.search(text)
        if unseen:
            problem = f"has a character that cannot be seen, U+{ord(unseen[0]):04X}"
            self._refuse(mark, path, problem, "take the escape out", "SL003")
        return text

    def _count(self, mark: Mark, path: Steps) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            problem = f"is where the file passes {MAX_VALUES} values"
            self._refuse(mark, path, problem, "keep generated data out of it", "SL002")

    def _report(self, mark: Mark, path: Steps, problem: str, remedy: str, rule: str) -> None:
        if len(self.findings) >= MAX_FINDINGS:
            self._refuse(mark, path, f"is where the file passes {MAX_FINDINGS} mistakes", MEND_THOSE_FIRST, "SL002")
        self.findings.append(self._finding(mark, path, problem, remedy, rule))

    def _refuse(self, mark: Mark, path: Steps, problem: str, remedy: str, rule: str) -> NoReturn:
        raise _Refused(self._finding(mark, path, problem, remedy, rule))

    def _finding(self, mark: Mark, path: Steps, problem: str, remedy: str, rule: str) -> Finding:
        place = place_of(mark)
        return Finding(self._file, place.line, place.column, dotted(path), problem, remedy, rule)
