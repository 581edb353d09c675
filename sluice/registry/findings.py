"""What is wrong in a file a person wrote, where, and what would be right; and the one error that carries all of it.

Every check of this package returns findings instead of raising, so that a person sees every mistake at once. Nothing
here knows what is checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from sluice.errors import AnswerIsNo

MOST_PRINTED = 100
"""Findings that are printed for a person; `--format json` gives programs all that are listed."""

MEND_THOSE_FIRST = "mend those first"
"""The remedy of a finding that stands for all that are not listed."""

KEY_RULE = "SL082"
"""The rule that nothing looks like a key."""

_LONGEST_VALUE_SHOWN = 32
_LONGEST_RUN_SHOWN = 20
_LONGEST_NAME_SHOWN = 63
_MOST_NAMES_COMPARED = 200
_LETTERS_OF_NAMES = "abcdefghijklmnopqrstuvwxyz0123456789-."
_DEEPEST_PATH_SHOWN = 8


class Severity(StrEnum):
    """What follows from a finding: an error refuses the registry, a warning is shown and lets it pass."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake at one place. Lines and columns count from 1; `path` is empty where the whole file is meant.

    `rule` is the id of the rule that was broken, for example `SL031`; `sluice explain` says more about it.
    """

    file: str
    line: int
    column: int
    path: str
    problem: str
    remedy: str
    rule: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        label = self.rule if self.severity is Severity.ERROR else f"{self.rule} {self.severity}"
        return f"{self.file}:{self.line}:{self.column}: {where}{self.problem}; {self.remedy} [{label}]"


class InvalidRegistry(AnswerIsNo):
    """What people declared cannot be used. `findings` holds everything found, sorted by place, one error at least."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = one_for_each_cause(findings)
        count = sum(finding.severity is Severity.ERROR for finding in self.findings)
        mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
        super().__init__("\n".join([f"refused, {mistakes}:", printed(self.findings)]))


def printed(findings: Sequence[Finding]) -> str:
    """Write findings one in a line, the first hundred of them."""
    return "\n".join([*map(str, findings[:MOST_PRINTED]), *more_than_printed(findings)])


def are_cut_short(findings: Iterable[Finding]) -> bool:
    """Whether there is more of the same kind than findings list."""
    return any(finding.remedy == MEND_THOSE_FIRST for finding in findings)


def more_than_printed(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Say how many findings there are beside those that are printed, if any."""
    more = len(findings) - MOST_PRINTED
    return (f"and {more} more; mend these first, or see all of them by --format json",) if more > 0 else ()


def refuse_if_any(findings: Collection[Finding]) -> None:
    """Raise InvalidRegistry with all of `findings` when at least one of them is an error."""
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise InvalidRegistry(findings)


def one_for_each_cause(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, and leave away what is said of a value that goes anyway.

    That is a warning about a value that is refused, and whatever else is wrong with what looks like a key.
    """
    found = sorted(set(findings))
    keys = {(finding.file, finding.line, finding.column) for finding in found if finding.rule == KEY_RULE}
    refused = {(finding.file, finding.path) for finding in found if finding.severity is Severity.ERROR and finding.path}
    return tuple(
        finding
        for finding in found
        if not _is_of_a_key(finding, keys)
        and (finding.severity is Severity.ERROR or (finding.file, finding.path) not in refused)
    )


def _is_of_a_key(finding: Finding, keys: Collection[tuple[str, int, int]]) -> bool:
    """Whether a finding says what else is wrong with one of `keys`, which may stand behind a quote."""
    if finding.rule == KEY_RULE or not finding.path:
        return False
    return any((finding.file, finding.line, finding.column + quote) in keys for quote in (0, 1))


def dotted(path: Iterable[str | int]) -> str:
    """Write a path into a file as people say it: `agents.qa.baseline[1]`. A very deep one is cut short."""
    text = ""
    for depth, part in enumerate(path):
        if depth == _DEEPEST_PATH_SHOWN:
            return f"{text}..."
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{_name(part)}" if text else _name(part)
    return text


def shown(value: object) -> str:
    """Write a wrong value for a message, but never one that could be a key or a token that was put in the wrong place.

    Keys and tokens are long, or have a long stretch of letters and digits; such text is described and not repeated.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "nothing"
        case int() | float():
            return f"{value}"
        case str():
            longest_run = max(map(len, re.findall(r"[^\W_]+", value)), default=0)
            if len(value) > _LONGEST_VALUE_SHOWN or longest_run > _LONGEST_RUN_SHOWN or not value.isprintable():
                return f"text of {len(value)} characters"
            return f'"{value}"'
        case dict():
            return "a mapping"
        case _:
            return "a list"


def choices(names: Iterable[str], *, of: str) -> str:
    """Say which names there are, the first dozen of them: `the agents are qa, legal`."""
    known = list(names)
    if not known:
        return f"there are no {of} yet"
    rest = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"the {of} are {', '.join(map(_name, known[:12]))}{rest}"


def did_you_mean(wrong: str, names: Iterable[str], *, of: str) -> str:
    """Name the nearest of `names` to a wrong one, and all of them where none is near."""
    known = names if isinstance(names, (Mapping, AbstractSet)) else list(names)
    near = nearest(wrong, known)
    return f'did you mean "{_name(near)}"?' if near else choices(known, of=of)


def nearest(wrong: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that a wrong one was probably meant to be, if any is near.

    Among many names only one slip is looked for, by making every word that is one slip away: comparing each wrong name
    of a large registry with each right one would take minutes.
    """
    known = names if isinstance(names, (Mapping, AbstractSet)) else set(names)
    if len(known) > _MOST_NAMES_COMPARED:
        slips = _one_slip_away(wrong) if len(wrong) <= _LONGEST_NAME_SHOWN else set()
        return min((word for word in slips if word in known), default=None)
    import difflib  # only what is wrong needs it

    near = difflib.get_close_matches(wrong[:200], sorted(known), n=1, cutoff=0.6)
    return near[0] if near else None


def _one_slip_away(word: str) -> set[str]:
    """Make what `word` becomes with one character left out, put in or changed, or with two neighbours swapped."""
    parts = [(word[:index], word[index:]) for index in range(len(word) + 1)]
    return {
        *(before + after[1:] for before, after in parts if after),
        *(before + after[1] + after[0] + after[2:] for before, after in parts if len(after) > 1),
        *(before + letter + after[1:] for before, after in parts if after for letter in _LETTERS_OF_NAMES),
        *(before + letter + after for before, after in parts for letter in _LETTERS_OF_NAMES),
    }


def _name(text: str) -> str:
    """Write a name that may be anything a file had for a key."""
    printable = text if text.isprintable() else text.encode("unicode_escape").decode()
    return printable if len(printable) <= _LONGEST_NAME_SHOWN else f"{printable[:12]}..."
