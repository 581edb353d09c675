"""OpenAI's dialect, which most providers speak: bodies and events pass as they are.

Only two things are changed. The model, and what makes a stream say its usage: where the caller did not ask for it, the
gateway does, and keeps the event it gets for that from the caller.
"""

from __future__ import annotations

from typing import Any

import orjson

from sluice.gateway.chat_request import ChatRequest, dumped
from sluice.gateway.configuration import Model, StreamUsageIs
from sluice.gateway.providers.dialect import AnswerUnusable, error_of
from sluice.gateway.providers.events import EventCutter, data_of, events_in
from sluice.gateway.usage import Usage, usage_in

_ASK_FOR_USAGE = b',"stream_options":{"include_usage":true}'
# A chunk whose delta has one of these, not empty, is the beginning of the answer; the role alone is not.
_CONTENT = ("content", "tool_calls", "refusal", "reasoning_content", "reasoning", "function_call", "audio")


class OpenAI:
    """Passes through."""

    path = "/chat/completions"

    def headers(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return the key as a bearer's."""
        return (("authorization", f"Bearer {key}"),)

    def request(self, chat: ChatRequest, model: Model) -> bytes:
        """Return the caller's own bytes with another model.

        A stream's options are OpenAI's own idea: a provider that always says its usage, as Mistral does, refuses a
        request that has them.
        """
        if not chat.streams:
            return chat.body_for(model.id)
        if model.provider.stream_usage is StreamUsageIs.ALWAYS:
            return _with_options(chat, model, None) if "stream_options" in chat.document else chat.body_for(model.id)
        if _asked_for_usage(chat):
            return chat.body_for(model.id)
        options = chat.document.get("stream_options")
        if isinstance(options, dict):
            return _with_options(chat, model, {**options, "include_usage": True})
        if "stream_options" in chat.document:
            return _with_options(chat, model, {"include_usage": True})
        return b"".join((chat.before_model, orjson.dumps(model.id), _ASK_FOR_USAGE, chat.after_model))

    def answer(self, body: bytes, model: Model) -> tuple[bytes, Usage | None]:
        """Return the body as it is, if it is a completion."""
        del model
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise AnswerUnusable("it is not JSON") from error
        choices = document.get("choices") if isinstance(document, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise AnswerUnusable("it has no choices")
        if not isinstance(choices[0].get("message"), dict):
            raise AnswerUnusable("its choice has no message")
        return body, usage_in(document)

    def error(self, status: int, body: bytes) -> bytes:
        """Return the provider's own words, an object, which some give in a list; what is neither is replaced.

        It comes of something in front of the provider, and says nothing to a client of this dialect.
        """
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        match document:
            case dict():
                return body
            case [dict() as only]:
                return orjson.dumps(only)
        return error_of(status)

    def reader(self, chat: ChatRequest, model: Model) -> OpenAIStream:
        """Return a reader that hides a usage nobody asked for."""
        asks = model.provider.stream_usage is StreamUsageIs.ON_REQUEST
        return OpenAIStream(hides_usage=asks and not _asked_for_usage(chat))


class OpenAIStream:
    """Lets whole events pass as the bytes they came in."""

    def __init__(self, *, hides_usage: bool) -> None:
        self._cutter = EventCutter()
        self._hides_usage = hides_usage
        self._ended = False
        self.began = False
        self.usage: Usage | None = None
        self.events = 0

    def feed(self, chunk: bytes) -> bytes:
        """Return the whole events that have come."""
        events = self._cutter.feed(chunk)
        if not self.began:
            return b"".join([event for event in events_in(events) if self._passes(event)])
        self.events += events.count(b'"choices"')
        # Most pieces have nothing that needs a closer look, and are not parsed.
        if b'"prompt_tokens"' in events or b'"error"' in events:
            return b"".join([event for event in events_in(events) if self._passes(event, counted=True)])
        if not self._ended:
            self._ended = b"[DONE]" in events or _finishes(events)
        return events

    def finish(self) -> bytes:
        """Return an event that lacks its blank line; after it, the answer must have ended."""
        last = self._cutter.rest
        out = last if last.strip() and self._passes(last) else b""
        if not (self._ended and self.began):
            raise AnswerUnusable("it ended before the answer did")
        return out

    def _passes(self, event: bytes, *, counted: bool = False) -> bool:
        data = data_of(event)
        if data is None:
            return True
        if data == b"[DONE]":
            self._ended = True
            return True
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise AnswerUnusable("an event is not JSON") from error
        if not isinstance(document, dict):
            raise AnswerUnusable("an event is no object")
        choices = document.get("choices")
        if document.get("error") is not None and not choices:
            raise AnswerUnusable("it says that it failed")
        self.usage = usage_in(document) or self.usage
        if not isinstance(choices, list):
            return True
        if not choices:
            return not (self._hides_usage and document.get("usage"))
        self.events += not counted
        self._look(choices)
        return True

    def _look(self, choices: list[Any]) -> None:
        for choice in choices:
            if not isinstance(choice, dict):
                continue
            delta = choice.get("delta")
            if choice.get("finish_reason"):
                self.began = self._ended = True
            if isinstance(delta, dict) and any(delta.get(name) for name in _CONTENT):
                self.began = True


def _finishes(events: bytes) -> bool:
    """Whether some event gives a reason for the end. Told by its bytes; in a text, quotes would be escaped."""
    at = events.find(b'"finish_reason"')
    while at != -1:
        if events[at + 15 : at + 40].lstrip(b" :").startswith(b'"'):
            return True
        at = events.find(b'"finish_reason"', at + 15)
    return False


def _asked_for_usage(chat: ChatRequest) -> bool:
    options = chat.document.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _with_options(chat: ChatRequest, model: Model, options: dict[str, object] | None) -> bytes:
    document = {**chat.document, "model": model.id, "stream_options": options}
    if options is None:
        del document["stream_options"]
    return dumped(document)
