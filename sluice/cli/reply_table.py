"""Replies of agents as a table for a person, or as rows for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import shorten
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sluice.deploy.ask import Reply

_WIDTH_OF_A_LOG = 150
_ANSWER_WIDTH = 60
_ARM_COLOURS = {"candidate": "green", "baseline": "cyan"}


def reply_rows(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """Return replies as JSON values, in the fields that `sluice ask --format json` promises."""
    return [asdict(reply) for reply in replies]


def reply_table(replies: Sequence[Reply]) -> None:
    """Print who answered, one line a reply; long answers are cut where they do not fit."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("agent", "user", "arm", "model", "answer"):
        table.add_column(column, no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for reply in replies:
        arm = f"[{_ARM_COLOURS.get(reply.arm, 'default')}]{reply.arm}[/]"
        answer = shorten(reply.answer, _ANSWER_WIDTH, placeholder=" ...")
        table.add_row(reply.agent, reply.user, arm, reply.model, escape(answer), f"{reply.latency_ms:.0f}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    console.print(table)
