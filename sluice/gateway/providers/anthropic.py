"""Anthropic's Messages API: its answers, streams, errors and usage as OpenAI's; requests: `anthropic_request.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from sluice.gateway.chat_request import ChatRequest, dumped
from sluice.gateway.configuration import Model
from sluice.gateway.providers.anthropic_request import translated
from sluice.gateway.providers.dialect import AnswerUnusable, error_of
from sluice.gateway.providers.events import EventCutter, data_of, events_in
from sluice.gateway.usage import Usage

VERSION = "2023-06-01"
_FINISH_REASONS = {"max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"}
# All of them are paid for as input; what a cache saves of it is not in the registry's prices.
_INPUT_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Anthropic:
    """Translates both ways."""

    path = "/messages"

    def headers(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return the key and the version of the API that this speaks."""
        return (("x-api-key", key), ("anthropic-version", VERSION))

    def request(self, chat: ChatRequest, model: Model) -> bytes:
        """Return the request in Anthropic's words. Raises RequestUntranslatable."""
        return dumped(translated(chat.document, model.id, model.provider.name))

    def answer(self, body: bytes, model: Model) -> tuple[bytes, Usage | None]:
        """Return a message as a completion."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise AnswerUnusable("it is not JSON") from error
        blocks = document.get("content") if isinstance(document, dict) else None
        if not isinstance(blocks, list) or not document.get("stop_reason"):
            raise AnswerUnusable("it is no message")
        texts = [block["text"] for block in blocks if _is(block, "text")]
        calls = [_call(block) for block in blocks if _is(block, "tool_use")]
        message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        usage = _usage(document.get("usage"))
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _finish_reason(document["stop_reason"]),
        }
        whole = {
            "id": document.get("id"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": document.get("model", model.id),
            "choices": [choice],
            "usage": _as_openai(usage) if usage else None,
        }
        return orjson.dumps(whole), usage

    def error(self, status: int, body: bytes) -> bytes:
        """Return the provider's message in the shape of OpenAI's errors."""
        try:
            given = orjson.loads(body)["error"]
            return error_of(status, str(given["type"]), str(given["message"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return error_of(status)

    def reader(self, chat: ChatRequest, model: Model) -> AnthropicStream:
        """Return what reads a stream of Anthropic's events."""
        options = chat.document.get("stream_options")
        return AnthropicStream(model, shows_usage=isinstance(options, dict) and options.get("include_usage") is True)


class AnthropicStream:
    """Turns each event into the chunk that OpenAI would have sent, if there is one."""

    def __init__(self, model: Model, *, shows_usage: bool) -> None:
        self._cutter = EventCutter()
        self._shows_usage = shows_usage
        self._head: dict[str, Any] = {
            "id": None,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model.id,
        }
        self._tokens: dict[str, int] = {}
        self._calls: dict[int, int] = {}
        """The place of a tool call among the calls, by the place of its block among the blocks."""
        self._ended = False
        self.began = False
        self.events = 0

    @property
    def usage(self) -> Usage | None:
        """What the end of the stream has said; before it, the provider knows only what it was asked."""
        return _usage(self._tokens) if self._ended else None

    def feed(self, chunk: bytes) -> bytes:
        """Return the chunks of the whole events that have come."""
        return b"".join([self._translated(event) for event in events_in(self._cutter.feed(chunk))])

    def finish(self) -> bytes:
        """Return what came without a blank line; the message must have stopped."""
        rest = self._cutter.rest
        out = self._translated(rest) if rest.strip() else b""
        if not self._ended:
            raise AnswerUnusable("it ended before the answer did")
        return out

    def _translated(self, event: bytes) -> bytes:
        data = data_of(event)
        if data is None:
            return b""
        try:
            return self._chunk(orjson.loads(data))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise AnswerUnusable("an event is none of the API's") from error

    def _chunk(self, event: Mapping[str, Any]) -> bytes:
        match event["type"]:
            case "message_start":
                message = event["message"]
                self._head |= {"id": message.get("id"), "model": message.get("model", self._head["model"])}
                self._count(message.get("usage"))
                return self._delta({"role": "assistant", "content": ""})
            case "content_block_start" if event["content_block"]["type"] == "tool_use":
                return self._call_begins(event["index"], event["content_block"])
            case "content_block_delta":
                return self._piece(event["index"], event["delta"])
            case "message_delta":
                self._count(event.get("usage"))
                self.began = True
                return self._delta({}, _finish_reason(event["delta"].get("stop_reason")))
            case "message_stop":
                self._ended = True
                return self._end()
            case "error":
                raise AnswerUnusable("it says that it failed")
        return b""  # a ping, the end of a block, whatever the API may add

    def _call_begins(self, block: int, given: Mapping[str, Any]) -> bytes:
        place = self._calls[block] = len(self._calls)
        function = {"name": given["name"], "arguments": ""}
        self.began = True
        return self._delta(
            {"tool_calls": [{"index": place, "id": given["id"], "type": "function", "function": function}]}
        )

    def _piece(self, block: int, delta: Mapping[str, Any]) -> bytes:
        self.events += 1
        if delta["type"] == "text_delta":
            self.began = self.began or bool(delta["text"])
            return self._delta({"content": delta["text"]})
        if delta["type"] == "input_json_delta":
            call = {"index": self._calls[block], "function": {"arguments": delta["partial_json"]}}
            return self._delta({"tool_calls": [call]})
        return b""  # thinking, signatures, citations: nothing of OpenAI's

    def _end(self) -> bytes:
        usage = self.usage
        said = b""
        if self._shows_usage and usage is not None:
            said = _event({**self._head, "choices": [], "usage": _as_openai(usage)})
        return said + b"data: [DONE]\n\n"

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):
            self._tokens |= {name: number for name, number in usage.items() if isinstance(number, int)}

    def _delta(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**self._head, "choices": [choice]})


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _is(block: object, kind: str) -> bool:
    return isinstance(block, dict) and block.get("type") == kind


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": block.get("name"), "arguments": orjson.dumps(block.get("input")).decode()}
    return {"id": block.get("id"), "type": "function", "function": function}


def _finish_reason(stop_reason: object) -> str:
    return _FINISH_REASONS.get(str(stop_reason), "stop")


def _usage(given: object) -> Usage | None:
    if not isinstance(given, dict) or not isinstance(given.get("output_tokens"), int):
        return None
    return Usage(sum(given.get(name) or 0 for name in _INPUT_TOKENS), given["output_tokens"])


def _as_openai(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
