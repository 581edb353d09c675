"""What people type and what they read, written down while it happens: the whole of it, and a page that tells it.

The page quotes the record: under each command stand lines of its output as they are, and `...` for those left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

CUT = "..."


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that somebody typed, and what came of it. `shown` picks the lines that the page quotes."""

    who: str
    command: str
    exit_code: int
    output: tuple[str, ...]
    shown: tuple[str, ...]

    def record(self) -> list[str]:
        """Return all of it."""
        return [f"{self.who}$ {self.command}", *self.output, f"-- exit code {self.exit_code}", ""]

    def quoted(self) -> list[str]:
        """Return what the page quotes of it."""
        lines = [f"{self.who}$ {self.command}"]
        for line in self.output:
            if any(re.search(pattern, line) for pattern in self.shown):
                lines.append(line)
            elif lines[-1] != CUT:
                lines.append(CUT)
        return [*lines, *([f"(exit code {self.exit_code})"] if self.exit_code else [])]


@dataclass(slots=True)
class Narration:
    """One story. `places` are the folders of this machine, by what stands for them."""

    places: Mapping[str, str]
    told: list[str | Typed] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Add prose, in Markdown."""
        self.told.append(text)

    def typed(self, who: str, command: str, exit_code: int, said: str, shown: Sequence[str] = ("",)) -> None:
        """Add a command."""
        for place, stands_for in self.places.items():
            said = said.replace(place, stands_for)
        output = tuple(line.rstrip() for line in said.strip("\n").split("\n")) if said.strip() else ()
        self.told.append(Typed(who, command, exit_code, output, tuple(shown)))

    def record(self) -> str:
        """Return every command with all of its output."""
        return "\n".join(line for one in self.told if isinstance(one, Typed) for line in one.record())

    def page(self) -> str:
        """Return the page."""
        parts: list[str] = []
        for are_typed, group in groupby(self.told, key=lambda one: isinstance(one, Typed)):
            if are_typed:
                lines = [line for one in group if isinstance(one, Typed) for line in one.quoted()]
                parts.append("\n".join(["```", *lines, "```"]))
            else:
                parts += [str(one).strip("\n") for one in group]
        return "\n\n".join(parts) + "\n"


def commands_and_prose(page: str) -> list[str]:
    """Return what of a page is the same in every telling: all but the outputs, which have numbers of their own."""
    kept, in_block = [], False
    for line in page.splitlines():
        if line.startswith("```"):
            in_block = not in_block
        elif not in_block or re.match(r"[a-z]+\$ ", line):
            kept.append(line)
    return kept
