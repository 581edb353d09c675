"""One YAML file as plain values that know where they stand.

A file is read quickly first, and exactly only when that gives up. Places are looked for when somebody asks for one.
Whatever is wrong with a file is a finding; nothing else escapes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sluice.registry.bounds import MAX_BYTES, MAX_LINE, MAX_VALUES, UNSEEN
from sluice.registry.exact_reading import read_exactly
from sluice.registry.findings import Finding, Severity, dotted
from sluice.registry.places import NOTHING_WITHIN, TOP, ExactPlaces, Place, Spot, Steps, place_of
from sluice.registry.quick_places import QuickPlaces
from sluice.registry.quick_reading import NotPlain, Outline, TooManyValues, read_quickly

_NOWHERE = Spot(TOP, TOP, NOTHING_WITHIN)


@dataclass(frozen=True, eq=False)
class Document:
    """One YAML file: its `text`, and its `data` of dict, list, str, int, float, bool and None.

    Values that an alias repeats are one object in `data`: never change it. A file that was read quickly has none, and
    its `outline`.
    """

    file: str
    data: Any
    text: str = field(repr=False)
    outline: Outline | None = field(default=None, repr=False)

    def place(self, path: Steps, *, at_key: bool = False) -> Place:
        """Return where the value at `path` stands, or its key; a path that is not there counts as its parent."""
        with collecting_paused():
            return self._places.place(path, at_key=at_key)

    @cached_property
    def _places(self) -> ExactPlaces | QuickPlaces:
        if self.outline is not None:
            return QuickPlaces(self.text, self.outline)
        return ExactPlaces(read_exactly(self.text, self.file)[1] or _NOWHERE)

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
        place = self.place(path, at_key=at_key)
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
    """Write a file's name on one line as a person would: relative to the working folder where it lies below it."""
    try:
        name = str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):  # of a link to itself pathlib says RuntimeError
        name = str(path)
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def read_document(path: Path, *, remedy_if_missing: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read the YAML file at `path`; where it cannot be used there is no document, and the findings say why."""
    file = shown_file(path)
    try:
        if not path.is_file():
            problem = "is not a file" if path.exists() else "does not exist"
            if path.is_symlink() and not path.exists():
                problem = "is a link that leads nowhere"
            return None, (Finding(file, 1, 1, "", problem, remedy_if_missing, "SL001"),)
        size = path.stat().st_size
        if size > MAX_BYTES:
            problem = f"has {size} bytes, and {MAX_BYTES} is the most"
            return None, (Finding(file, 1, 1, "", problem, "keep generated data out of it", "SL002"),)
        content = _bytes_of(path)
    except OSError as error:
        reason = error.strerror or "unknown reason"
        return None, (Finding(file, 1, 1, "", f"cannot be read: {reason}", "make it readable", "SL001"),)
    return parse_document(content, file)


def text_of(path: Path) -> str:
    """Return the text of a file that may not be text; nothing where it is no file, is too large or cannot be read."""
    try:
        return _bytes_of(path).decode("utf-8", "replace") if path.is_file() and path.stat().st_size <= MAX_BYTES else ""
    except OSError:
        return ""


def _bytes_of(path: Path) -> bytes:
    """Read no more of a file than one may have: some say that they are empty and never end."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def parse_document(content: bytes, file: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """Parse the bytes of a YAML file that people know as `file`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        return None, (_at_end_of(before, file, "is not UTF-8", "save it as UTF-8"),)
    unseen = UNSEEN.search(text)
    if unseen:
        problem = f"has a character that cannot be seen, U+{ord(unseen[0]):04X}"
        return None, (_at_end_of(text[: unseen.start()], file, problem, "take it out"),)
    for number, written in enumerate(text.split("\n"), start=1):
        if len(written) > MAX_LINE:
            problem = f"has a line of {len(written)} characters, and {MAX_LINE} is the most"
            return None, (Finding(file, number, 1, "", problem, "break it", "SL002"),)
    with collecting_paused():
        try:
            data, outline = read_quickly(text)
            return Document(file, data, text, outline), ()
        except TooManyValues as passed:
            line, column = place_of(passed.mark)
            problem, remedy = f"is where the file passes {MAX_VALUES} values", "keep generated data out of it"
            return None, (Finding(file, line, column, "", problem, remedy, "SL002"),)
        except NotPlain:
            data, spots, findings = read_exactly(text, file)
    return (None, findings) if spots is None else (Document(file, data, text), ())


@contextmanager
def collecting_paused() -> Iterator[None]:
    """Keep Python from looking for cycles among hundreds of thousands of new values, of which none has any.

    It looks again and again, and each time at every place of the file: a third of the time of a check.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _at_end_of(before: str, file: str, problem: str, remedy: str) -> Finding:
    """Make a finding about the character that follows `before`."""
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Finding(file, len(lines), len(lines[-1]) + 1, "", problem, remedy, "SL003")
