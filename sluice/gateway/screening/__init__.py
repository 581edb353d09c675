"""Refuses prompts that are known to be dangerous, before a model sees them.

The families of such prompts are data, `families.toml`, each with a source and with examples both ways. Searched is what
others than the developer may have written: the user's messages and the results of tools, all text parts of them. The
system's and the developer's words are the caller's own program, and the assistant's are a model's; neither is searched.

A text is looked at as a model would read it (`text.py`), piece by piece, so that a long one does not hold up others.
It is a net for what is known, not a proof: the watermark, the limits and the review stay where they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice.gateway.configuration import Agent, Screen
from sluice.gateway.metrics import Metrics
from sluice.gateway.refusals import Refusal
from sluice.gateway.screening.families import Family, load_families
from sluice.gateway.screening.text import PIECE, pieces, readings

_NOT_SCREENED = frozenset({"system", "developer", "assistant"})


class PromptRefused(Refusal):
    """The request holds a dangerous prompt; which family it is of is said, the text is not repeated."""

    status = 400
    code = "prompt_refused"
    param = "messages"

    def __init__(self, family: Family) -> None:
        self.family = family.id
        super().__init__(f"The request was refused: a message {family.title} ({family.id}).")


class Screening:
    """Screens the messages of requests by the families of the package."""

    def __init__(self, agents: Iterable[str], metrics: Metrics) -> None:
        self._families = load_families()
        self._metrics = metrics
        for agent in agents:
            for family in self._families:
                metrics.count_screened(agent, family.id, times=0)

    async def screen(self, agent: Agent, messages: Sequence[object]) -> None:
        """Look at the messages. Raises PromptRefused where the agent's prompts are blocked."""
        if agent.screen is Screen.OFF:
            return
        family = await self._found(messages)
        if family is None:
            return
        self._metrics.count_screened(agent.name, family.id)
        if agent.screen is Screen.BLOCK:
            raise PromptRefused(family)

    async def _found(self, messages: Sequence[object]) -> Family | None:
        looked_at = 0
        for message in messages:
            for piece in pieces(_text(message)):
                if looked_at > PIECE:
                    looked_at = 0
                    await asyncio.sleep(0)  # others' turn
                looked_at += len(piece)
                family = self.family_of(piece)
                if family is not None:
                    return family
        return None

    def family_of(self, text: str) -> Family | None:
        """Return the first family that a short text belongs to."""
        for reading in readings(text):
            for family in self._families:
                if family.holds(reading):
                    return family
        return None


def _text(message: object) -> str:
    """Return all that a message says, where it is one that is screened."""
    if not isinstance(message, Mapping) or message.get("role") in _NOT_SCREENED:
        return ""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(map(_part, content))


def _part(part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) else part
    return text if isinstance(text, str) else ""
