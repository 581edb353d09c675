"""The families of dangerous prompts, read from `families.toml` when the process starts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sluice.gateway.screening.text import Reading


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of dangerous prompt; `passes` are examples that look like it and are none.

    A pattern is tried only where it can begin: at a word of `begins`, or a sign of `marks`.
    """

    id: str
    title: str
    reference: str
    begins: frozenset[str]
    marks: tuple[str, ...]
    any_of: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    matches: tuple[str, ...]
    passes: tuple[str, ...]

    def holds(self, reading: Reading) -> bool:
        """Whether a text belongs to the family."""
        if self.any_of.isdisjoint(reading.words):
            return False
        return any(pattern.match(reading.text, place) for place in self._places(reading) for pattern in self.patterns)

    def _places(self, reading: Reading) -> Iterator[int]:
        for word in self.begins & reading.words:
            yield from reading.places(word)
        for mark in self.marks:
            place = reading.text.find(mark)
            while place >= 0:
                yield place
                place = reading.text.find(mark, place + 1)


@cache
def load_families() -> tuple[Family, ...]:
    """Return the families of the package, in the order of the file."""
    document = tomllib.loads(Path(__file__).with_name("families.toml").read_text(encoding="utf-8"))
    return tuple(
        Family(
            id=entry["id"],
            title=entry["title"],
            reference=entry["reference"],
            begins=frozenset(entry.get("begins", ())),
            marks=tuple(entry.get("marks", ())),
            any_of=frozenset(entry["any_of"]),
            patterns=tuple(re.compile(pattern) for pattern in entry["patterns"]),
            matches=tuple(entry["matches"]),
            passes=tuple(entry["passes"]),
        )
        for entry in document["family"]
    )
