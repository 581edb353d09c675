"""A family's `begins` and `marks` are all that its patterns can begin with: one left out would never be tried."""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from sluice.gateway.screening.families import Family, load_families

_WORD = re.compile(r"[^\W_]+")
_ANYTHING = "\0"

Beginning = tuple[str, bool]
"""What a pattern may begin with, and whether more of the same word may follow."""


def beginnings(items: Iterable[Any]) -> set[Beginning]:
    """Return the beginnings of what a parsed pattern matches, up to the end of the first word or a few signs."""
    found: set[Beginning] = {("", True)}
    for kind, value in items:
        follow = _of_one(kind, value)
        found = {
            joined for head, open_ in found for joined in ([(head, False)] if not open_ else _joined(head, follow))
        }
    return found


def _of_one(kind: Any, value: Any) -> set[Beginning]:
    if kind is kinds.LITERAL:
        return {(chr(value), True)}
    if kind is kinds.SUBPATTERN:
        return beginnings(value[3])
    if kind is kinds.BRANCH:
        return {one for branch in value[1] for one in beginnings(branch)}
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        least, most, repeated = value
        once = {(text, open_ and most == 1) for text, open_ in beginnings(repeated)}
        return once | ({("", True)} if least == 0 else set())
    if kind is kinds.IN and all(what is kinds.LITERAL for what, _ in value):
        return {(chr(code), True) for _, code in value}
    return {("", True)} if kind in (kinds.AT, kinds.ASSERT, kinds.ASSERT_NOT) else {(_ANYTHING, False)}


def _joined(head: str, follow: set[Beginning]) -> set[Beginning]:
    joined: set[Beginning] = set()
    for text, open_ in follow:
        whole = head + text
        word = _WORD.match(whole)
        if word and word.end() < len(whole):
            joined.add((word[0], False))
        else:
            joined.add((whole, open_ and (bool(word) or len(whole) < 6)))
    return joined


@pytest.mark.parametrize("family", load_families(), ids=lambda family: family.id)
def test_every_beginning_of_a_pattern_is_named(family: Family) -> None:
    for pattern in family.patterns:
        for text, _ in beginnings(parser.parse(pattern.pattern)):
            word = _WORD.match(text)
            if word:
                assert word[0] in family.begins, (text, pattern.pattern)
            else:
                assert any(text.startswith(mark) or mark.startswith(text) for mark in family.marks), text


def test_a_word_that_may_go_on_is_taken_to_its_end() -> None:
    assert {text for text, _ in beginnings(parser.parse("(?:ab(?:c|d)?|x-?y) z"))} == {"ab", "abc", "abd", "x", "xy"}
