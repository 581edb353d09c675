"""How many tokens an answer took, read from the answer as it passes: from its JSON, or from the end of its stream.

Only what the provider says is counted. A stream says it where the provider always does (Mistral) or where the caller
asked (`stream_options.include_usage`); the gateway adds no such wish, as it leaves the body alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from sluice.gateway.configuration import Model

# The event that carries usage is the last but "[DONE]" and a few hundred bytes long; this holds it with room to spare.
_TAIL_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer."""

    input_tokens: int
    output_tokens: int

    def dollars(self, model: Model) -> float:
        """Return the cost at the model's price, which is per 1,000 tokens."""
        return (
            self.input_tokens * model.input_price_per_1k_tokens + self.output_tokens * model.output_price_per_1k_tokens
        ) / 1000


def usage_of_answer(body: bytes) -> Usage | None:
    """Return the usage that a whole JSON answer states, if it does."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return _usage(document)


class StreamUsage:
    """Keeps the end of a stream while it passes, and finds the usage in it."""

    def __init__(self) -> None:
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take note of a chunk, wherever it was cut."""
        self._tail += chunk
        if len(self._tail) > 2 * _TAIL_BYTES:
            del self._tail[:-_TAIL_BYTES]

    def found(self) -> Usage | None:
        """Return the last usage that an event stated, if one did."""
        for line in reversed(self._tail.splitlines()):
            if line.startswith(b"data:") and b'"usage"' in line:
                usage = usage_of_answer(bytes(line[5:].strip()))
                if usage is not None:
                    return usage
        return None


def _usage(document: object) -> Usage | None:
    usage = document.get("usage") if isinstance(document, dict) else None
    if not isinstance(usage, dict):
        return None
    tokens = [usage.get("prompt_tokens"), usage.get("completion_tokens", 0)]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in tokens):
        return None
    return Usage(*tokens)
