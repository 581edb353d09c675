"""What a scalar without quotes means: YAML 1.2's core schema, less what two readers would read differently.

`no` and `on` are text here as YAML 1.2 has it, and never a boolean; a date is text; 0o10, 010, 1_000 and 1:30 are
refused because readers disagree about them, and so is any number that JSON or a float cannot hold as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

Scalar = str | int | float | bool | None

STARTS_OF_MEANING = frozenset("+-.0123456789~nNtTfF")
"""A scalar without quotes that starts otherwise, and is not empty, is the text it is."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_AMBIGUOUS = re.compile(
    r"""
    [-+]?0[0-9]+                                                # octal to YAML 1.1
    | [-+]?0[oOxXbB][0-9a-fA-F_]+
    | [-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?   # a number to YAML 1.1, text to 1.2
    | [-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?                     # of base 60 to YAML 1.1
    """,
    re.VERBOSE,
)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_LONGEST_NUMBER = 40
_LARGEST_NUMBER = 1e15


class AmbiguousScalar(ValueError):
    """A scalar that cannot be read as it was meant: `problem` says what it is, `remedy` what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


@lru_cache(maxsize=8192)
def meaning(text: str) -> Scalar:
    """Return the value of a scalar that stands without quotes. Raises AmbiguousScalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _AMBIGUOUS.fullmatch(text):
        problem = "is a number that readers read differently"
        raise AmbiguousScalar(problem, "write it in decimal, or put text in quotes")
    if _NOT_FINITE.fullmatch(text):
        raise AmbiguousScalar("is not a finite number", "write a number")
    if _NUMBER.fullmatch(text):
        number = float(text) if len(text) <= _LONGEST_NUMBER else float("inf")
        if abs(number) > _LARGEST_NUMBER:
            raise AmbiguousScalar("is too large a number", "write a smaller number, or put text in quotes")
        return int(number) if number.is_integer() else number
    return text
