"""How many tokens an answer took, read from the answer as it passes: from its JSON, or from the end of its stream.

What the provider says is counted. Where a stream ends without saying it, broken off or left by its caller, the tokens
are estimated, and marked so: the provider bills them all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sluice.gateway.configuration import Model

_CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; `estimated` where the provider did not say."""

    input_tokens: int
    output_tokens: int
    estimated: bool = False
    model: str | None = None
    """Who answered, in the provider's words, where it says so."""

    def dollars(self, model: Model) -> float:
        """Return the cost at the model's price."""
        return model.dollars(self.input_tokens, self.output_tokens)


def usage_in(document: object) -> Usage | None:
    """Return the usage that an answer, or an event of a stream, states, if it does."""
    usage = document.get("usage") if isinstance(document, dict) else None
    if not isinstance(usage, dict):
        return None
    tokens = [usage.get("prompt_tokens"), usage.get("completion_tokens", 0)]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in tokens):
        return None
    model = document.get("model") if isinstance(document, dict) else None
    return Usage(tokens[0], tokens[1], model=model if isinstance(model, str) else None)


def estimated_usage(messages: Iterable[Any], events: int) -> Usage:
    """Return what a stream took by the length of what was asked, and one token for each event with a piece of it."""
    characters = sum(_characters(message.get("content")) for message in messages if isinstance(message, dict))
    return Usage(characters // _CHARACTERS_PER_TOKEN, events, estimated=True)


def _characters(content: object) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return sum(len(text) for text in texts if isinstance(text, str))
    return 0
