"""docs/journey.md: what it quotes was said so in the run that it tells of, and every command of it can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sluice.cli.main import sluice

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, RECORD = (DOCS / "journey.md").read_text(), (DOCS / "journey/record.txt").read_text()

_TYPED = re.compile(r"[a-z]+\$ (.+)")
_END = re.compile(r"-- exit code (\d+)")


def recorded() -> Iterator[tuple[str, list[str], int]]:
    """Yield each command of the record, its output and its exit code."""
    command, output = "", list[str]()
    for line in RECORD.splitlines():
        if not command:
            command, output = line, []
        elif ended := _END.fullmatch(line):
            yield command, output, int(ended[1])
            command = ""
        else:
            output.append(line)


def quoted() -> list[list[str]]:
    """Return what the page quotes of each command, the command first."""
    found: list[list[str]] = []
    for block in re.findall(r"^```\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if _TYPED.fullmatch(line):
                found.append([])
            found[-1].append(line)
    return found


def pieces(lines: list[str]) -> list[list[str]]:
    """Cut what is quoted where lines were left out."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line == "...":
            found.append([])
        else:
            found[-1].append(line)
    return [piece for piece in found if piece]


def says(output: list[str], wanted: list[list[str]]) -> bool:
    """Whether an output has each piece as it is, one after the other."""
    begins = 0
    for piece in wanted:
        places = range(begins, len(output) - len(piece) + 1)
        place = next((at for at in places if output[at : at + len(piece)] == piece), None)
        if place is None:
            return False
        begins = place + len(piece)
    return True


def test_the_page_quotes_the_record_command_by_command() -> None:
    quotes, runs = quoted(), list(recorded())

    assert len(quotes) == len(runs) > 30
    for (first, *lines), (command, output, exit_code) in zip(quotes, runs, strict=True):
        if exit_code:
            assert lines.pop() == f"(exit code {exit_code})"
        assert first == command
        assert says(output, pieces(lines)), f"{command} did not say\n" + "\n".join(lines)


@pytest.mark.parametrize("line", sorted({found[1] for found in map(_TYPED.fullmatch, PAGE.splitlines()) if found}))
def test_every_command_of_the_page_can_be_typed(line: str) -> None:
    program, *words = shlex.split(line)
    if program == "git":
        return
    assert program == "sluice"

    found: click.Command = sluice
    with click.Context(sluice, info_name="sluice") as context:
        while isinstance(found, click.Group):
            name, *words = words
            command = found.get_command(context, name)
            assert command is not None, f"there is no command {name}"
            found = command
        found.make_context(found.name, words, parent=context)  # raises where an option is not known


def test_the_pictures_of_the_page_are_there_and_no_others() -> None:
    shown = set(re.findall(r"\]\(journey/(\S+\.svg)\)", PAGE))

    assert shown == {file.name for file in (DOCS / "journey").glob("*.svg")} != set()


def test_no_folder_of_a_machine_is_told() -> None:
    assert not re.search(r"/tmp|/root|/home|/work", PAGE + RECORD)
