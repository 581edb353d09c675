"""Where the values of a file stand, kept beside the values as a tree of the same shape.

A tree, not a table of paths: a registry of 10,000 models has 300,000 values, and a path for each would be most of what
a check needs in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

Steps = tuple[str | int, ...]
"""The way to a value from the top of its file: `("agents", "qa", "baseline", 1)`."""


class Place(NamedTuple):
    """A line and a column, counted from 1."""

    line: int
    column: int


class Mark(NamedTuple):
    """A line and a column as the parser has them, counted from 0; its own marks stand in place of this one."""

    line: int
    column: int


class Spot(NamedTuple):
    """Where one value starts, where its key does, and the spots of what is in it; an item of a list is its own key.

    They are kept as the parser made them: of hundreds of thousands of marks a person wants to see a few.
    """

    value: Mark
    key: Mark
    within: Mapping[str | int, Spot]


@dataclass(frozen=True, slots=True)
class ExactPlaces:
    """The places in a text of which every spot is known."""

    spots: Spot

    def place(self, path: Steps, *, at_key: bool) -> Place:
        """Return where the value at `path` stands, or its key; one that is not there counts as its nearest parent."""
        return nearest_place(self.spots, path, at_key=at_key)


TOP = Mark(0, 0)
NOTHING_WITHIN: Mapping[str | int, Spot] = MappingProxyType({})
"""What is within a scalar."""


def nearest_place(top: Spot, path: Steps, *, at_key: bool) -> Place:
    """Return where the value at `path` stands, or its key; a path that is not there counts as its nearest parent."""
    spot = top
    for step in path:
        deeper = spot.within.get(step)
        if deeper is None:
            break
        spot = deeper
    return place_of(spot.key if at_key else spot.value)


def place_of(mark: Mark) -> Place:
    """Return the place of a mark, as people and editors count."""
    return Place(mark.line + 1, mark.column + 1)
