"""Changes a value in a YAML file that people edit too, and leaves everything else in it as it is, byte for byte.

An edit cuts out the value and puts the new one in its place: comments, order, quotes, blank lines and ends of lines
elsewhere are never written again. The result is read back, and unless it says exactly what was asked for nothing is
changed; so a file that is written too oddly to be edited by machine is refused and not spoilt.
"""

from __future__ import annotations

import copy
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Final

from sluice.errors import SluiceError
from sluice.registry.document import Document, parse_document, shown_file
from sluice.registry.findings import dotted, refuse_if_any
from sluice.registry.inline_yaml import key, written
from sluice.registry.places import Steps
from sluice.registry.spans import Entry, Kind, Span, spans_of

Value = str | int | float | bool | date | list[Any] | dict[str, Any] | None
"""What can be set; a list or a mapping is written on one line."""


class _Removed(Enum):
    REMOVED = "removed"


REMOVED: Final = _Removed.REMOVED
"""In place of a value: take the field or the item out."""

Edit = Value | _Removed
"""What an edit does to one value."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CannotEdit(SluiceError):
    """A value cannot be changed by machine: how its file is written, or what it says there, stands against it."""

    def __init__(self, file: str, path: Steps, reason: str) -> None:
        self.file = file
        self.path = path
        super().__init__(f"{file}: {dotted(path)}: cannot be changed by machine: {reason}; edit the file by hand")


def edit_file(file: Path, changes: Mapping[Steps, Edit]) -> bool:
    """Make `changes`, in their order, to the YAML file at `file`, all or none; say whether the file is another now.

    Whoever reads the file meanwhile sees the old one or the new one, and edits at the same time are made one after the
    other. Raises InvalidRegistry for a file that cannot be read, CannotEdit, and OSError.
    """
    target = file.resolve()
    with _alone_in(target.parent):
        before = target.read_bytes()
        after = edited(before, changes, shown_file(file))
        if after != before:
            _replace(target, after)
    return after != before


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other edit is made in a folder; the system forgets the lock of a process that was killed."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(target: Path, content: bytes) -> None:
    """Put a file in the place of another one, so that neither a crash nor a full disk leaves half of it.

    What a process that was killed left beside it is written over by the next edit.
    """
    scratch = target.with_name(f".{target.name}.new")
    try:
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.chmod(target.stat().st_mode & 0o7777)
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def edited(content: bytes, changes: Mapping[Steps, Edit], file: str = "file") -> bytes:
    """Return the bytes of a YAML file with `changes` made. Raises InvalidRegistry and CannotEdit."""
    mark = _BYTE_ORDER_MARK if content.startswith(_BYTE_ORDER_MARK) else b""
    document = _read(content, file)
    for path, value in changes.items():
        document = _changed(document, path, value)
    return mark + document.text.encode("utf-8")


def _changed(document: Document, path: Steps, value: Edit) -> Document:
    wanted = _applied(document, path, value)
    if repr(wanted) == repr(document.data):
        return document
    try:
        text = _spliced(document.text, path, value)
        after, findings = parse_document(text.encode("utf-8"), document.file)
    except _Oddity as odd:
        raise CannotEdit(document.file, path, str(odd)) from None
    if after is None or findings or repr(after.data) != repr(wanted):
        raise CannotEdit(document.file, path, "it is written in a way that an edit would spoil")
    return after


class _Oddity(Exception):
    """What stands in the way of an edit."""


def _read(content: bytes, file: str) -> Document:
    document, findings = parse_document(content, file)
    refuse_if_any(findings)
    assert document is not None  # noqa: S101 - without findings there is a document
    return document


def _applied(document: Document, path: Steps, value: Edit) -> Any:
    """Return what the file should say after the edit."""
    data = copy.deepcopy(json.loads(json.dumps(document.data)))  # apart, where an alias made two values one
    container = data
    for step in path[:-1]:
        if isinstance(container, dict) and isinstance(step, str):
            if container.get(step) is None:
                if value is REMOVED:
                    return document.data
                container[step] = {}
            container = container[step]
        elif isinstance(container, list) and isinstance(step, int) and step < len(container):
            container = container[step]
        else:
            raise CannotEdit(document.file, path, f"there is no {step} in it")
    last = path[-1]
    if isinstance(container, dict) and isinstance(last, str):
        if value is REMOVED:
            container.pop(last, None)
        else:
            container[last] = _plain_data(value)
    elif isinstance(container, list) and isinstance(last, int) and 0 <= last <= len(container):
        container[last : last + 1] = [] if value is REMOVED else [_plain_data(value)]
    else:
        raise CannotEdit(document.file, path, "it is no field and no item")
    return data


def _plain_data(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain_data(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain_data(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _spliced(text: str, path: Steps, value: Edit) -> str:
    span = spans_of(text)
    for depth, step in enumerate(path):
        if span.kind is Kind.ALIAS or span.anchored:
            raise _Oddity("an alias repeats it")
        entry = next((entry for entry in span.entries if entry.key == step), None)
        if entry is None:
            return _with_added(text, span, path[depth:], value)
        if depth == len(path) - 1:
            if value is REMOVED:
                return _without(text, span, entry)
            return _with_replaced(text, entry.value, value)
        span = entry.value
    raise _Oddity("it is the whole file")


def _with_replaced(text: str, span: Span, value: Any) -> str:
    if span.kind is Kind.ALIAS or span.anchored:
        raise _Oddity("an alias repeats it")
    new = written(value, like=span.style)
    if span.style in {"|", ">"}:
        new += "\n" if text[span.start : span.end].endswith("\n") else ""
    elif span.start == span.end and text[span.start - 1 : span.start] == ":":
        new = f" {new}"
    return text[: span.start] + new + text[span.end :]


def _with_added(text: str, span: Span, steps: Steps, value: Any) -> str:
    for step in reversed(steps[1:]):
        value = {step: value}
    if span.kind is Kind.SCALAR:
        return _with_replaced(text, span, {steps[0]: value})
    new = f"{key(steps[0])}: {written(value)}" if span.kind is Kind.MAPPING else written(value)
    if not span.entries:
        return text[: span.start + 1] + new + text[span.start + 1 :]
    last = span.entries[-1].value
    if span.flow:
        return f"{text[: last.end]}, {new}{text[last.end :]}"
    end = _end_of_line(text, last.end)
    newline = "\r\n" if "\r\n" in text else "\n"
    if span.kind is Kind.SEQUENCE:
        new = f"- {new}"
    before, after = text[:end], text[end:]
    if before.endswith("\n"):
        return f"{before}{' ' * span.column}{new}{newline}{after}"
    return f"{before}{newline}{' ' * span.column}{new}{after}"


def _without(text: str, span: Span, entry: Entry) -> str:
    index = span.entries.index(entry)
    if len(span.entries) == 1:
        empty = "{}" if span.kind is Kind.MAPPING else "[]"
        return text[: span.start] + empty + text[span.end :]
    if span.flow:
        if index + 1 < len(span.entries):
            return text[: entry.start] + text[span.entries[index + 1].start :]
        return text[: span.entries[index - 1].value.end] + text[entry.value.end :]
    start = text.rfind("\n", 0, entry.start) + 1
    if text[start : entry.start].strip(" -") or (span.kind is Kind.MAPPING and text[start : entry.start].strip()):
        raise _Oddity("it shares its line with something else")
    end = _end_of_line(text, entry.value.end)
    return text[:start] + (
        text[end:] if text[:end].endswith("\n") else text[end:].removeprefix("\r").removeprefix("\n")
    )


def _end_of_line(text: str, offset: int) -> int:
    """Return where the line of `offset` ends, before its line break; `offset` itself where it is a line's start."""
    if text[offset - 1 : offset] == "\n":
        return offset
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" else end
