"""Says in a person's words what libyaml found wrong with a file's syntax.

libyaml names the rule of its grammar that did not fit. A person needs the bracket that was left open, the tab, the
colon in a text: most mistakes are one of a dozen, and those are told apart here.
"""

from __future__ import annotations

import re
from typing import Any

from yaml import YAMLError

from sluice.registry.places import Place

_MEND = "mend the text here or just above"
_SENTENCES: tuple[tuple[str, str, str], ...] = (
    # what libyaml's message starts with; what is wrong; what would be right
    ("could not find expected ':'", "has a key without a colon", "write a colon and a space after it"),
    ("did not find expected key", "is indented like no line above, or has something after a value that ended",
     "line it up with the keys it belongs to"),
    ("did not find expected '-' indicator", "stands among the entries of a list without a dash",
     "start it with a dash, or line it up with the key it belongs to"),
    ("did not find expected node content", "has nothing that could be a value", "write a value, or put text in quotes"),
    ("found unknown escape character", "has an escape that does not exist", "use single quotes, or two backslashes"),
    ("found invalid Unicode character escape code", "has an escape that is no character", "write the character itself"),
    ("found incompatible YAML document", "asks for another version of YAML", "take out the line that starts with %"),
    ("did not find expected <document start>", "goes on after its end",
     "line it up with the rest, or take out a line of dots above"),
    ("found a tab character", "is indented with a tab", "indent with spaces"),
    ("did not find expected alphabetic or numeric character", "has a & or * with no name after it",
     "put text that starts with & or * in quotes"),
    ("found duplicate", "has a directive twice", "take out the lines that start with %"),
    ("found undefined tag handle", "has a tag", "take out the word that starts with an exclamation mark"),
)  # fmt: skip
_COLON_WITHOUT_SPACE = re.compile(r"\s*(- )?[\w.-]+:(?=[^\s:])")
_NAME_BEFORE_A_BRACE = re.compile(r"\s*[\w.-]+(?= +\{)")
_OPEN = {
    "while parsing a flow sequence": ("has a [ that is not closed", "close it with ], and put a comma between entries"),
    "while parsing a flow mapping": ("has a { that is not closed", "close it with }, and put a comma between fields"),
    "while scanning a quoted scalar": ("has a quote that is not closed", "close it with the same quote"),
}


def syntax_mistake(error: YAMLError, text: str, last: Place) -> tuple[Place, str, str]:
    """Return where `error` is, what is wrong there, and what would be right; `last` is where reading last stood."""
    problem = str(getattr(error, "problem", None) or "")
    place = _place(getattr(error, "problem_mark", None)) or last
    context = str(getattr(error, "context", None) or "")
    opened = _place(getattr(error, "context_mark", None))
    if opened and context in _OPEN and ("',' or" in problem or "end of stream" in problem):
        return opened, *_OPEN[context]
    if problem.startswith("mapping values are not allowed"):
        return _of_colon(text, place)
    if "cannot start any token" in problem:
        return place, *_of_character(text, place)
    for start, wrong, right in _SENTENCES:
        if problem.startswith(start):
            return place, wrong, right
    return place, f"is not YAML: {' '.join(problem.split())[:120]}" if problem else "is not YAML", _MEND


def _of_colon(text: str, place: Place) -> tuple[Place, str, str]:
    """Tell a text with a colon in it from a key whose colon has no space after it, which joins with the next line."""
    above = place.line - 1
    while above > 0 and not _line(text, above).strip():
        above -= 1
    key = _COLON_WITHOUT_SPACE.match(_line(text, above)) if above > 0 else None
    if key and ": " not in _line(text, place.line)[: place.column - 1]:
        return Place(above, len(key[0])), "has no space after the colon", "write a space after it"
    name = _NAME_BEFORE_A_BRACE.match(_line(text, place.line))
    if name:
        return Place(place.line, len(name[0]) + 1), "has a key without a colon", "write a colon and a space after it"
    return place, "has a colon where none can be", "put text that has a colon in quotes"


def _of_character(text: str, place: Place) -> tuple[str, str]:
    character = _line(text, place.line)[place.column - 1 : place.column]
    if character == "\t":
        return "is indented with a tab", "indent with spaces"
    return f"has a value that starts with {character}", "put it in quotes"


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _place(mark: Any) -> Place | None:
    return Place(mark.line + 1, mark.column + 1) if mark is not None else None
