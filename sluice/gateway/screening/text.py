"""A text as a model reads it: one form of each letter, nothing that cannot be seen, single spaces, small letters.

Also what stands in it in another writing: letters of other alphabets that look like Latin ones, the invisible tag
characters of Unicode, and base64. Letters spaced out and numbers in place of letters are left as they are; to read them
as words would find them in tables and code.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator

PIECE = 8 * 1024
OVERLAP = 1024
"""More than any pattern reaches."""

_MAYBE_ENCODED = 16
_MOST_ENCODED = 8
_LONGEST_ENCODED = 8192
_WORD = re.compile(r"[^\W_]+")
_ONLY_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
"""The same for a text of ASCII alone, which most are: a fourth of the time."""
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")

# Cyrillic and Greek letters that are drawn as Latin ones are. A whole text of either becomes nonsense that matches
# nothing, as the text itself did.
_LOOKALIKES = str.maketrans(
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u04bb\u0501"
    "\u051b\u051d\u03bf\u03b1\u03b9\u03c1\u03bd\u0131\u0261\u0280\u029f",
    "aceopxyijshdqwoaipvigrl",
)
_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}


def pieces(text: str) -> Iterator[str]:
    """Cut a long text into pieces that overlap, so that nothing is lost between two."""
    if len(text) <= PIECE:
        if text:
            yield text
        return
    for start in range(0, len(text), PIECE - OVERLAP):
        yield text[start : start + PIECE]


class Reading:
    """A text as it is read, and the words of it: runs of letters and digits, whatever stands around them."""

    __slots__ = ("text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = frozenset(text.translate(_ONLY_WORDS).split() if text.isascii() else _WORD.findall(text))

    def places(self, word: str) -> Iterator[int]:
        """Give where a word begins, each time that it stands there and is no part of another."""
        begin = self.text.find(word)
        while begin >= 0:
            end = begin + len(word)
            if not (self.text[begin - 1 : begin].isalnum() or self.text[end : end + 1].isalnum()):
                yield begin
            begin = self.text.find(word, end)


def readings(text: str) -> Iterator[Reading]:
    """Give the text as it is read, then what is encoded in it."""
    reading = Reading(_read(text))
    yield reading
    if max(map(len, reading.words), default=0) >= _MAYBE_ENCODED:
        for encoded in _ENCODED.findall(text)[:_MOST_ENCODED]:
            decoded = _decoded(encoded[:_LONGEST_ENCODED])
            if decoded:
                yield Reading(_read(decoded))


def _read(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_TAGS))
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
        return " ".join(text.casefold().translate(_LOOKALIKES).split())
    return " ".join(text.lower().split())


def _decoded(encoded: str) -> str:
    whole = encoded.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        content = base64.b64decode(
            whole[: len(whole) // 4 * 4] if len(whole) % 4 == 1 else whole + "=" * (-len(whole) % 4)
        )
        text = content.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if text.isprintable() or text.isascii() else ""
