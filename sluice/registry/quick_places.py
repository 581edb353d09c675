"""Where the values of a plain file stand: of a large one, only the entries that somebody asks about are read again.

A file that quick_reading took has no alias, no merge key and no mistake of reading, so that nothing is left to find but
places, and an entry can be read by itself. Of another file exact_reading knows them; a test holds the two together.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from yaml import YAMLError
from yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from sluice.registry.places import NOTHING_WITHIN, Place, Spot, Steps, nearest_place
from sluice.registry.quick_reading import Loader, Outline


class QuickPlaces:
    """The places in one plain text, whose `outline` was made when it was read."""

    def __init__(self, text: str, outline: Outline) -> None:
        self._text = text
        self._outline = outline
        self._read: dict[int, Spot | None] = {}

    def place(self, path: Steps, *, at_key: bool) -> Place:
        """Return where the value at `path` stands, or its key; one that is not there counts as its nearest parent."""
        level, index = self._nearest(path)
        spot = self._entry(index) if index is not None else None
        if index is None or spot is None:
            return nearest_place(self.spots, path, at_key=at_key)
        found = nearest_place(spot, path[level - 1 :] if level else (), at_key=at_key)
        return Place(found.line + self._outline[index][2].line, found.column)

    @cached_property
    def spots(self) -> Spot:
        """Where every value stands."""
        return spots_in(self._text)

    def _nearest(self, path: Steps) -> tuple[int, int | None]:
        """Return what of the outline holds `path`: an entry, a section, or the top by its first key; and its level."""
        if not self._outline:
            return 0, None
        for level in (2, 1):
            if len(path) >= level and path[:level] in self._index:
                return level, self._index[path[:level]]
        return 0, 0

    @cached_property
    def _index(self) -> dict[Steps, int]:
        """Where in the outline a section is, and an entry of it."""
        found: dict[Steps, int] = {}
        section = ""
        for index, (level, name, _) in enumerate(self._outline):
            section = name if level == 1 else section
            found[(section,) if level == 1 else (section, name)] = index
        return found

    def _entry(self, index: int) -> Spot | None:
        """Read one entry by itself, or the head of a section with its first one; None where it does not stand alone."""
        if index not in self._read:
            level, name, mark = self._outline[index]
            following = self._outline[index + 1 : index + 3]
            end = following[1:] if level == 1 and following and following[0][0] == 2 else following
            text = self._text[_start_of_line(mark) : _start_of_line(end[0][2]) if end else None]
            self._read[index] = _alone(text, name, mark.column)
        return self._read[index]


def _start_of_line(mark: Any) -> int:
    start: int = mark.index - mark.column
    return start


def _alone(text: str, name: str, column: int) -> Spot | None:
    """Return the spots of a text that is one field, `name` at `column` of its first line; None where it is another."""
    try:
        spot = spots_in(text) if text else None
    except YAMLError:
        return None
    if spot is None:
        return None
    key = spot.within[name].key if len(spot.within) == 1 and name in spot.within else None
    return spot if key and (key.line, key.column) == (0, column) else None


def spots_in(text: str) -> Spot:
    """Return where every value stands in a text that read_quickly has read."""
    loader = Loader(text)
    try:
        loader.get_event()
        loader.get_event()
        return _spots(loader.get_event)
    finally:
        loader.dispose()


def _spots(next_event: Any) -> Spot:  # one loop without calls, as in quick_reading
    within: dict[str | int, Spot] = {}  # of the container that is open; at first of what holds the top
    around: list[tuple[dict[str | int, Spot], bool]] = []
    is_mapping = False
    key: Any = None
    while True:
        event = next_event()
        kind = type(event)
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            within, is_mapping = around.pop()
            if not around:
                return within[0]
            continue
        if is_mapping and key is None:
            key = event
            continue
        mark = event.start_mark
        name, key_mark = (len(within), mark) if key is None else (key.value, key.start_mark)
        key = None
        if kind is ScalarEvent:
            within[name] = Spot(mark, key_mark, NOTHING_WITHIN)
            if not around:
                return within[0]
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            inner: dict[str | int, Spot] = {}
            within[name] = Spot(mark, key_mark, inner)
            around.append((within, is_mapping))
            within, is_mapping = inner, kind is MappingStartEvent
