"""Writes findings for a person at a terminal: the sentence, the line of the file, and a mark under the place.

A line is quoted only as far as it cannot show a key or a token: long runs of letters and digits are blotted out, and so
is a value that the sentence does not show; what follows a field that nobody knows is left away, and where a rule about
keys was broken nothing is quoted at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from sluice.registry.bounds import MAX_BYTES, UNSEEN
from sluice.registry.findings import MOST_PRINTED, Finding, Severity, more_than_printed

_ABOUT_KEYS = frozenset({"SL082", "SL091"})
_ABOUT_UNKNOWN_FIELDS = frozenset({"SL020", "SL090"})
_LONG_RUN = re.compile(r"[^\W_]{21,}")
_END_OF_LINE = re.compile(r"\r\n|\r|\n")
_MARKED = re.compile(
    r"""(?P<quote>["'])(?:(?!(?P=quote)).)*(?P=quote)?|[\[{]|[^\s,\]}#][^,\]}#:]*(?::(?=\S)[^,\]}#:]*)*"""
)
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_LEAST_WIDTH = 40


def at_terminal(findings: Iterable[Finding], *, columns: int) -> str:
    """Write findings in colours, each with its line of the file where that can be shown, for so many columns."""
    every = tuple(findings)
    findings = every[:MOST_PRINTED]
    about_keys = {(finding.file, finding.line) for finding in findings if finding.rule in _ABOUT_KEYS}
    files = {file: _lines(file) for file in {finding.file for finding in findings}}
    paragraphs = []
    for finding in findings:
        lines = () if (finding.file, finding.line) in about_keys else files[finding.file]
        quoted = _excerpt(finding, lines, max(columns, _LEAST_WIDTH))
        paragraphs.append("\n".join((_sentence(finding), *quoted)))
    return "\n".join((*paragraphs, *more_than_printed(every)))


def _sentence(finding: Finding) -> str:
    place = click.style(f"{finding.file}:{finding.line}:{finding.column}:", bold=True)
    text = str(finding).removeprefix(f"{finding.file}:{finding.line}:{finding.column}: ")
    if finding.problem and finding.problem in text:
        before, _, after = text.partition(finding.problem)
        text = before + click.style(finding.problem, fg=_COLOURS[finding.severity]) + after
    return f"{place} {text}"


def _excerpt(finding: Finding, lines: Sequence[str], columns: int) -> Iterator[str]:
    if not 0 < finding.line <= len(lines) or finding.rule == "SL001":
        return
    line, start = lines[finding.line - 1], finding.column - 1
    marked = _MARKED.match(line, start)
    end = max(start + 1, marked.end() if marked else 0)
    if "text of " in finding.problem:
        line = line[:start] + "*" * (end - start) + line[end:]
    if finding.rule in _ABOUT_UNKNOWN_FIELDS and end < len(line):
        line = f"{line[:end]}: ..."
    shown, left = _window(_safe(line), start, columns - len(str(finding.line)) - 6)
    number = str(finding.line)
    margin = " " * len(number)
    mark_end = min(end - left, len(shown))
    under = " " * _width(shown[: start - left])
    mark = "^" * max(1, _width(shown[start - left : mark_end].rstrip()))
    yield click.style(f"  {number} | ", fg="blue") + shown
    yield click.style(f"  {margin} | ", fg="blue") + under + click.style(mark, fg=_COLOURS[finding.severity], bold=True)


def _lines(file: str) -> tuple[str, ...]:
    try:
        if Path(file).stat().st_size > MAX_BYTES:
            return ()
        text = Path(file).read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return ()
    return tuple(_END_OF_LINE.split(text))


def _safe(line: str) -> str:
    """Blot out what could be a key, and show every character as something a terminal prints and does not obey."""
    line = _LONG_RUN.sub(lambda run: "*" * len(run[0]), line)
    return UNSEEN.sub("\N{REPLACEMENT CHARACTER}", line.replace("\t", " "))


def _window(line: str, start: int, columns: int) -> tuple[str, int]:
    """Return the part of a long line that has the place in it, and how many characters were left away before it."""
    if len(line) <= columns:
        return line, 0
    left = max(0, min(start - columns // 3, len(line) - columns))
    return line[left : left + columns], left


def _width(text: str) -> int:
    """Count the columns that a terminal needs for `text`: two for a wide character, none for one that combines."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
