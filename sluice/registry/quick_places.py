"""Where the values of a plain file stand, as fast as libyaml's events come.

A file that quick_reading took has no alias, no merge key and no mistake of reading, so that nothing is left to find but
places. Of another file exact_reading knows them; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from sluice.registry.places import NOTHING_WITHIN, Spot
from sluice.registry.quick_reading import Loader


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
