"""Reads a YAML file that has nothing unusual in it, as fast as libyaml's events come.

It knows no places but those of the upper keys, and words no mistake: at whatever is not plainly right it gives up, and
the file is read again by exact_reading, which does. What it does return, exact_reading would return too; a test holds
the two together.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from sluice.errors import SluiceError
from sluice.registry.bounds import MAX_DEPTH, MAX_VALUES, UNSEEN
from sluice.registry.places import Mark
from sluice.registry.scalars import STARTS_OF_MEANING, AmbiguousScalar, Scalar, meaning


class LibyamlMissing(SluiceError):
    """PyYAML was built without libyaml. Its parser in Python is no stand-in: it is slow and refuses in other words."""

    def __init__(self) -> None:
        super().__init__(
            "PyYAML on this machine was built without libyaml; install it from a wheel: "
            "pip install --force-reinstall --only-binary pyyaml pyyaml"
        )


def _loader() -> Any:
    if not yaml.__with_libyaml__:
        raise LibyamlMissing
    return yaml.CSafeLoader


Loader: Any = _loader()


class NotPlain(Exception):
    """The file has something that must be looked at exactly: a mistake, or a rarity such as an anchor."""


class TooManyValues(Exception):
    """The file has more values than one may have; `mark` is where it passes them."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(mark)
        self.mark = mark


Outline = list[tuple[int, str, Any]]
"""The keys of a file's two upper levels in their order, each with its level, 1 or 2, and the parser's mark of it.

Only keys that stand on lines of their own are in it, and none that braces enclose.
"""


def read_quickly(text: str) -> tuple[Any, Outline]:
    """Return the values in `text`, and its outline. Raises NotPlain and TooManyValues."""
    loader = Loader(text)
    outline: Outline = []
    try:
        return _document(loader, outline), outline
    except (yaml.YAMLError, AmbiguousScalar) as error:
        raise NotPlain from error
    finally:
        loader.dispose()


def _document(loader: Any, outline: Outline) -> Any:
    loader.get_event()
    start = loader.get_event()
    if not isinstance(start, DocumentStartEvent) or start.version or start.tags:
        raise NotPlain
    value = _content(loader.get_event, outline)
    if not isinstance(loader.get_event(), DocumentEndEvent) or not isinstance(loader.get_event(), StreamEndEvent):
        raise NotPlain
    return value


def _content(next_event: Any, outline: Outline) -> Any:  # noqa: C901 - one loop without calls: it runs for each of 400,000 events
    top: list[Any] = []
    container: Any = top
    around: list[Any] = []  # the containers that are open around this one, `depth` of them
    depth = 0
    names: set[str] = set()  # keys that were found printable: a large file repeats a few
    key: str | None = None
    left = MAX_VALUES
    outlined = 2  # the level down to which keys stand on lines of their own
    while True:
        event = next_event()
        kind = type(event)
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            container = around.pop()
            depth -= 1
            if container is top:
                return top[0]
            continue
        left -= 1
        if left < 0:
            raise TooManyValues(event.start_mark)
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                raise NotPlain
            value = event.value
            if key is None and type(container) is dict:
                if value in container:
                    raise NotPlain
                if value not in names:
                    if value == "<<" or not value.isprintable():
                        raise NotPlain
                    names.add(value)
                key = value
                if depth <= outlined:
                    outline.append((depth, key, event.start_mark))
                continue
            if event.style:
                value = _quoted(value)
            elif not value or value[0] in STARTS_OF_MEANING:
                value = meaning(value)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or event.tag is not None or depth >= MAX_DEPTH:
                raise NotPlain
            if key is None and type(container) is dict:
                raise NotPlain
            value = {} if kind is MappingStartEvent else []
            if depth < 2 and kind is MappingStartEvent and outlined:
                outlined = depth if event.flow_style else 2
            if key is None:
                container.append(value)
            else:
                container[key] = value
            around.append(container)
            depth += 1
            container, key = value, None
            continue
        else:
            raise NotPlain
        if key is not None:
            container[key] = value
            key = None
        elif container is top:
            raise NotPlain
        else:
            container.append(value)


def _quoted(value: str) -> Scalar:
    if not value.isprintable() and UNSEEN.search(value):
        raise NotPlain
    return value
