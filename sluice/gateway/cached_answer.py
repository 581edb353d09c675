"""What is kept of an answer, and how it is given again: whole or as a stream, as the caller asks this time.

Kept is one completion as a provider gave it, before anything is added to it, that ended by itself and says nothing but
a text. Streams are put together to one. What holds an e-mail address, a phone number or a key is not kept: redacted it
would be another answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Model
from sluice.gateway.providers.events import data_of, events_in
from sluice.gateway.redaction import redact
from sluice.gateway.usage import Usage

ANSWER_LIMIT_BYTES = 256 * 1024

_OF_EVERY_EVENT = ("id", "created", "model", "system_fingerprint", "service_tier")
_OF_A_TEXT = frozenset({"role", "content"})


class Overheard:
    """An answer as it passes, remembered as long as it is not too large to be kept."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, piece: bytes) -> None:
        """Remember a piece."""
        self._size += len(piece)
        if self._size <= ANSWER_LIMIT_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    @property
    def text(self) -> bytes:
        """All of it as it came, nothing where that is too much."""
        return b"".join(self._pieces)


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer given again, in the shape that it is handed to callers in. It takes no tokens."""

    model: Model
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    _events: bytes = b""
    status: int = 200

    def usage(self) -> Usage | None:
        """Return nothing: what is given again costs nothing."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the stream's events."""
        yield self._events


def completion_of(text: bytes, usage: Usage | None, *, streamed: bool) -> bytes | None:
    """Return what is to be kept of an answer, one completion as JSON; None where it is not one to be kept."""
    try:
        document = _put_together(text, usage) if streamed else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    said = _only_text(document)
    if said is None or redact(said) != said:
        return None
    return orjson.dumps(document) if streamed else text


def replayed(completion: bytes | str, model: Model, chat: ChatRequest) -> CachedAnswer | None:
    """Return a kept completion as the caller wants it; None where it is no completion."""
    try:
        document = orjson.loads(completion)
    except orjson.JSONDecodeError:
        return None
    said = _only_text(document)
    if said is None:
        return None
    if not chat.streams:
        return CachedAnswer(model, ((b"content-type", b"application/json"),), orjson.dumps(document))
    options = chat.document.get("stream_options")
    says_usage = isinstance(options, dict) and options.get("include_usage") is True
    events = _events(document, said, says_usage=says_usage)
    return CachedAnswer(model, ((b"content-type", b"text/event-stream; charset=utf-8"),), None, events)


def _only_text(document: object) -> str | None:
    """Return what the one choice of a completion says; None where that is not all, or not the end."""
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    message = choices[0].get("message")
    if choices[0].get("finish_reason") != "stop" or choices[0].get("logprobs") or not isinstance(message, dict):
        return None
    said = message.get("content")
    if not isinstance(said, str) or not said.strip() or any(message[name] for name in message.keys() - _OF_A_TEXT):
        return None
    return said


def _put_together(events: bytes, usage: Usage | None) -> dict[str, Any] | None:
    """Return the completion that a stream's events make; None where they make anything but one text."""
    head: dict[str, Any] = {}
    said: list[str] = []
    reason: object = None
    for event in events_in(events):
        data = data_of(event)
        if data is None or data == b"[DONE]":
            continue
        chunk = orjson.loads(data)
        if not isinstance(chunk, dict) or chunk.get("error"):
            return None
        head = head or {name: chunk[name] for name in _OF_EVERY_EVENT if name in chunk}
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if not isinstance(delta, dict) or choice.get("index", 0) != 0 or choice.get("logprobs"):
                return None
            piece = delta.get("content") or ""
            if not isinstance(piece, str) or any(delta[name] for name in delta.keys() - _OF_A_TEXT):
                return None
            said.append(piece)
            reason = choice.get("finish_reason") or reason
    message = {"role": "assistant", "content": "".join(said)}
    document = {
        **head,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
    }
    if usage is not None and not usage.estimated:
        document["usage"] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
    return document


def _events(document: dict[str, Any], said: str, *, says_usage: bool) -> bytes:
    head = {name: document[name] for name in _OF_EVERY_EVENT if name in document}
    head["object"] = "chat.completion.chunk"
    usage = {"usage": None} if says_usage else {}
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": said}, None),
        ({}, "stop"),
    ]
    chunks: list[dict[str, Any]] = [
        {
            **head,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
            **usage,
        }
        for delta, reason in deltas
    ]
    if says_usage and document.get("usage"):
        chunks.append({**head, "choices": [], "usage": document["usage"]})
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
