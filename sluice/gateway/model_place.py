"""Finds the value of a body's top-level `model`, so that it alone can be replaced and every other byte be kept.

The document was parsed before; this only looks for the place, in time that grows with the body and no faster. A body
whose place cannot be told for certain (a second `model`, one spelled with escapes, too many inner ones) has none.
"""

from __future__ import annotations

import re

import orjson

_KEY = b'"model"'
_MOST_KEYS_TRIED = 64
# In JSON, an unescaped `"model"` that follows a brace, a comma or white space and precedes a colon is a key, never the
# inside of a text, where its quotes would be escaped.
_BEFORE_A_KEY = frozenset(b"{, \t\r\n")
_TO_VALUE = re.compile(rb"\s*:\s*")
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPED_LETTER = b"\\u006"
"""How each letter of `model` begins where it is written as an escape."""


def place_of_model(body: bytes) -> tuple[int, int] | None:
    """Return where the value of the top-level `model` of `body`, a JSON object that has one, begins and ends."""
    keys = _keys(body)
    if keys is None:
        return None
    if len(keys) == 1 and _ESCAPED_LETTER not in body:
        begin = keys[0][1]  # the only `model` there is
    else:
        found = _top_level(body, keys)
        if found is None:
            return None
        begin = found
    value = _TEXT.match(body, begin)
    return (begin, value.end()) if value else None


def _keys(body: bytes) -> list[tuple[int, int]] | None:
    """Return where each key `model`, at whatever depth, and its value begin; None where there are too many."""
    keys: list[tuple[int, int]] = []
    at = body.find(_KEY)
    tried = 0
    while at != -1:
        tried += 1
        if tried > _MOST_KEYS_TRIED:
            return None
        end = at + len(_KEY)
        colon = _TO_VALUE.match(body, end)
        if colon and body[at - 1] in _BEFORE_A_KEY:
            keys.append((at, colon.end()))
        at = body.find(_KEY, end)
    return keys


def _top_level(body: bytes, keys: list[tuple[int, int]]) -> int | None:
    """Return where the value of the one top-level `model` begins; None where there is not exactly one.

    All keys are renamed, each to a name of its own, and the names then found at the top level tell. That also finds a
    second `model`, however it is spelled; left in place it would let a caller name a model to those providers that
    read the first of two.
    """
    pieces: list[bytes] = []
    done = 0
    for number, (at, value) in enumerate(keys):
        pieces += (body[done:at], b'"\\u0000%d":' % number)
        done = value
    probed = orjson.loads(b"".join((*pieces, body[done:])))
    top = [value for number, (_, value) in enumerate(keys) if f"\0{number}" in probed]
    return top[0] if len(top) == 1 and "model" not in probed else None
