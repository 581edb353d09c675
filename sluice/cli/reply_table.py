"""Replies of agents as a table for a person, or as rows for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from unicodedata import category

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluice.deploy.ask import Reply

_WIDTH_OF_A_LOG = 150
_ANSWER_WIDTH = 60
_ARM_COLOURS = {"candidate": "green", "baseline": "cyan"}


def reply_rows(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """Return replies as JSON values, in the fields that `sluice ask --format json` promises."""
    return [asdict(reply) for reply in replies]


def printable(answer: str) -> str:
    """Take from an answer what a terminal would obey instead of show: its author is a model."""
    return "".join(character for character in answer if character in "\n\t" or category(character) != "Cc")


def reply_table(replies: Sequence[Reply]) -> None:
    """Print who answered, one line a reply; long answers are cut where they do not fit."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("agent", "user", "arm", "model", "answer"):
        table.add_column(column, no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for reply in replies:
        arm = Text(reply.arm, style=_ARM_COLOURS.get(reply.arm, "default"))
        answer = Text(" ".join(printable(reply.answer).split()))
        answer.truncate(_ANSWER_WIDTH, overflow="ellipsis")
        table.add_row(Text(reply.agent), Text(reply.user), arm, Text(reply.model), answer, f"{reply.latency_ms:.0f}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    console.print(table)
