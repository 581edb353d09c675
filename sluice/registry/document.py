"""Reads one YAML file into plain values and remembers where each of them stands.

It builds the values from the parser's events itself, and so holds the promises that a YAML library's own loader does
not make: no key twice, no alias that could unfold into gigabytes, no tag that makes an object, no number that JSON
cannot hold, bounded size and depth. Every refusal is a finding with its place; nothing else escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sluice.registry.findings import Finding, Severity, dotted

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32

Steps = tuple[str | int, ...]
"""The way to a value from the top of its file: `("agents", "qa", "baseline", 1)`."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER_LIKE = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_BASED_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain values: `data` of dict, list, str, int, float, bool and None, and where each stands."""

    file: str
    data: Any
    values: Mapping[Steps, Place] = field(repr=False)
    keys: Mapping[Steps, Place] = field(repr=False)

    def finding(
        self,
        path: Steps,
        problem: str,
        remedy: str,
        *,
        rule: str,
        severity: Severity = Severity.ERROR,
        at_key: bool = False,
    ) -> Finding:
        """Make a finding about the value at `path`, or about its key; a path that is not there counts as its parent."""
        places = self.keys if at_key else self.values
        standing = path
        while standing not in places and standing:
            standing = standing[:-1]
        place = places.get(standing) or self.values.get(standing) or Place(1, 1)
        return Finding(self.file, place.line, place.column, dotted(path), problem, remedy, rule, severity)

    def get(self, *path: str | int) -> Any:
        """Return the value at `path`, or None where the file has none, whatever shape it has."""
        value = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def mapping(self, *path: str | int) -> dict[str, Any]:
        """Return the mapping at `path`, or an empty one where the file has something else or nothing there."""
        value = self.get(*path)
        return value if isinstance(value, dict) else {}


def shown_file(path: Path) -> str:
    """Write a file's name as a person would: relative to the working folder where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def read_document(path: Path, *, remedy_if_missing: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read the YAML file at `path`; where it cannot be used there is no document, and the findings say why."""
    file = shown_file(path)
    try:
        if not path.is_file():
            problem = "is not a file" if path.exists() else "does not exist"
            return None, (Finding(file, 1, 1, "", problem, remedy_if_missing, "SL001"),)
        size = path.stat().st_size
        if size > MAX_BYTES:
            problem = f"has {size} bytes, and {MAX_BYTES} is the most"
            return None, (Finding(file, 1, 1, "", problem, "keep generated data out of it", "SL002"),)
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unknown reason"
        return None, (Finding(file, 1, 1, "", f"cannot be read: {reason}", "make it readable", "SL001"),)
    return parse_document(content, file)


def parse_document(content: bytes, file: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """Parse the bytes of a YAML file that people know as `file`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        return None, (Finding(file, line, column, "", "is not UTF-8", "save it as UTF-8", "SL003"),)
    reader = _Reader(file)
    try:
        return reader.read(text), tuple(reader.findings)
    except _Refused as refused:
        return None, (*reader.findings, refused.finding)


class _Refused(Exception):
    """The file cannot be read any further."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class _Reader:
    """Builds one document from the parser's events; collects what can be passed over, stops at what cannot."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []
        self.values: dict[Steps, Place] = {}
        self.keys: dict[Steps, Place] = {}
        self._last = Place(1, 1)

    def read(self, text: str) -> Document | None:
        events = self._events(text)
        documents = 0
        data: Any = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        (), "has a second document", "keep one document in a file and take out the ---", "SL008"
                    )
            elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent, AliasEvent)):
                data = self._value(event, events, ())
        if data is None:
            self._last = Place(1, 1)
            self._refuse((), "is empty", "write version: 1 and what follows it", "SL010")
        return None if self.findings else Document(self.file, data, self.values, self.keys)

    def _events(self, text: str) -> Iterator[Any]:
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                self._last = Place(event.start_mark.line + 1, event.start_mark.column + 1)
                yield event
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            if mark is not None:
                self._last = Place(mark.line + 1, mark.column + 1)
            self._refuse((), f"is not YAML: {_one_line(error.problem)}", "mend the text here or just above", "SL004")
        except YAMLError as error:
            self._refuse_character(text, error)
        except Exception:  # noqa: BLE001 - on broken text the parser fails with whatever it meets, and all of it means this
            self._refuse((), "is not YAML", "mend the text here or just below", "SL004")

    def _refuse_character(self, text: str, error: YAMLError) -> None:
        position = getattr(error, "position", None)
        if isinstance(position, int):
            before = text[:position]
            self._last = Place(before.count("\n") + 1, position - before.rfind("\n"))
        self._refuse((), "has a character that YAML does not allow", "take out the control character", "SL003")

    def _value(self, event: Any, events: Iterator[Any], path: Steps) -> Any:
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        self.values[path] = self._last = place
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self._refuse(path, "is an anchor or an alias", "write the value out where it is used", "SL006")
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if event.tag is not None:
            self._refuse(path, "has a tag", f"take out {_one_line(str(event.tag))}", "SL007")
        if len(path) >= MAX_DEPTH:
            self._refuse(path, f"is nested more than {MAX_DEPTH} deep", "nothing here needs more than 6", "SL002")
        return self._mapping(events, path) if isinstance(event, MappingStartEvent) else self._sequence(events, path)

    def _sequence(self, events: Iterator[Any], path: Steps) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], path: Steps) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
            key = self._key(event, path)
            value = self._value(next(events), events, (*path, key))
            if key in mapping:
                first = self.keys[*path, key]
                self._last = place
                self._report((*path, key), "is written twice", f"keep one; the other is in line {first.line}", "SL005")
                continue
            mapping[key] = value
            self.keys[*path, key] = place
        return mapping

    def _key(self, event: Any, path: Steps) -> str:
        if not isinstance(event, ScalarEvent) or event.anchor is not None or event.tag is not None:
            self._refuse(path, "has a key that is not a name", "write a plain name before the colon", "SL007")
        key = self._text(event, path)
        if key == "<<":
            self._refuse(path, "has a merge key", "write the fields out where they are used", "SL006")
        return key

    def _scalar(self, event: Any, path: Steps) -> str | int | float | bool | None:
        text = self._text(event, path)
        if event.tag is not None:
            self._refuse(path, "has a tag", f"take out {_one_line(str(event.tag))}", "SL007")
        if event.style is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _LEADING_ZERO.fullmatch(text) or _BASED_INTEGER.fullmatch(text):
            self._report(
                path, "is a number that readers read differently", "write it in decimal, or put text in quotes", "SL009"
            )
            return 0
        if _NOT_FINITE.fullmatch(text):
            self._report(path, "is not a finite number", "write a number", "SL009")
            return 0
        if _NUMBER_LIKE.fullmatch(text):
            number = float(text) if len(text) <= 40 else float("inf")
            if abs(number) > 1e15:
                self._report(path, "is too large a number", "write a smaller number, or put text in quotes", "SL009")
                return 0
            return int(number) if number.is_integer() else number
        return text

    def _text(self, event: Any, path: Steps) -> str:
        text: str = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._refuse(path, "has half of a character", "write the character itself, without an escape", "SL003")
        return text

    def _report(self, path: Steps, problem: str, remedy: str, rule: str) -> None:
        self.findings.append(
            Finding(self.file, self._last.line, self._last.column, dotted(path), problem, remedy, rule)
        )

    def _refuse(self, path: Steps, problem: str, remedy: str, rule: str) -> None:
        raise _Refused(Finding(self.file, self._last.line, self._last.column, dotted(path), problem, remedy, rule))


def _one_line(text: str | None) -> str:
    return " ".join((text or "unknown reason").split())[:120]
