"""Anchors, aliases and merge keys of a file, up to the little that a person needs.

A value may be repeated a few times. What is refused is what unfolds: ten lines of aliases of aliases can stand for
gigabytes, and every tool that walks them pays.
"""

from __future__ import annotations

from typing import Any

from sluice.registry.bounds import MAX_ALIASES, MAX_DEPTH, MAX_REPEATED_VALUES


class UnknownAnchor(LookupError):
    """An alias names no anchor that ended before it."""


class TooMuchRepeated(ValueError):
    """The aliases of the file are too many, stand for too much, or nest too deep; the text says which."""


class Anchors:
    """The anchors of one file so far, and how much its aliases have repeated."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._aliases = 0
        self._repeated = 0

    def define(self, name: str, value: Any) -> None:
        """Name a value; one that was named so before is no longer."""
        self._values[name] = value
        self._sizes.pop(name, None)

    def value(self, name: str, *, deeper: int) -> Any:
        """Return what the alias `name`, that stands `deeper` levels deep, repeats.

        Raises UnknownAnchor, and TooMuchRepeated.
        """
        if name not in self._values:
            raise UnknownAnchor(name)
        if name not in self._sizes:
            self._sizes[name] = _size(self._values[name])
        count, depth = self._sizes[name]
        self._aliases += 1
        self._repeated += count
        if self._aliases > MAX_ALIASES:
            raise TooMuchRepeated(f"is one alias more than the {MAX_ALIASES} that a file may have")
        if self._repeated > MAX_REPEATED_VALUES:
            raise TooMuchRepeated(f"is an alias, and with it aliases stand for more than {MAX_REPEATED_VALUES} values")
        if deeper + depth > MAX_DEPTH:
            raise TooMuchRepeated(f"is an alias of what is then nested more than {MAX_DEPTH} deep")
        return self._values[name]


def merged(base: Any, own: dict[str, Any]) -> dict[str, Any] | None:
    """Return `own` over what its merge key names, a mapping or several, the first the strongest; else None."""
    bases = base if isinstance(base, list) else [base]
    if not bases or not all(isinstance(each, dict) for each in bases):
        return None
    values: dict[str, Any] = {}
    for each in reversed(bases):
        values |= each
    return values | own


def _size(value: Any) -> tuple[int, int]:
    """Count the values in `value` and how deep they nest; the bounds on what was named before bound this too."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    sizes = [_size(part) for part in parts]
    nesting = 1 if isinstance(value, (dict, list)) else 0
    return 1 + sum(count for count, _ in sizes), nesting + max((depth for _, depth in sizes), default=0)
