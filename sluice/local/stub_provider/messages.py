"""POST .../messages of the stub: Anthropic's request in, the same made answer out, whole or as a stream of events.

Dials, log and texts are those of the chat route; the words differ. A request that demands a tool gets a call of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from sluice.local.stub_provider.answers import made_answer
from sluice.local.stub_provider.behaviour import Behaviour, Dials
from sluice.local.stub_provider.chat import CallerLeft, pieces, send_garbage, send_half, text_of, tokens, wait
from sluice.local.stub_provider.refusals import send_json
from sluice.local.stub_provider.request_log import Asked, RequestLog, key_fingerprint

_KINDS = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class Messages:
    """The route, as an ASGI application."""

    def __init__(self, behaviour: Behaviour, log: RequestLog) -> None:
        self._behaviour = behaviour
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as the dials of its model say."""
        request = Request(scope, receive)
        try:
            document = orjson.loads(await request.body())
        except ClientDisconnect:
            return
        except orjson.JSONDecodeError:
            document = None
        key = request.headers.get("x-api-key")
        fault = _fault(document, key, request.headers.get("anthropic-version"))
        if fault is not None:
            await _refuse(send, *fault)
            return
        asked = self._log.of(document["model"])
        asked.requests += 1
        asked.streams += document.get("stream") is True
        asked.last_request_id = request.headers.get("x-request-id")
        asked.last_key_present, asked.last_key_fingerprint = True, key_fingerprint(key or "")
        if not self._behaviour.takes(document["model"], key_fingerprint(key or "")):
            asked.errors += 1
            await _refuse(send, 401, "invalid x-api-key")
            return
        try:
            await self._answer(document, asked, receive, send)
        except CallerLeft:
            asked.hung_up += 1

    async def _answer(self, document: Mapping[str, Any], asked: Asked, receive: Receive, send: Send) -> None:
        model = document["model"]
        dials = self._behaviour.dials(model)
        if not dials.exists:
            asked.errors += 1
            await _refuse(send, 404, f"model: {model}")
            return
        fails = self._behaviour.fails(model)
        await wait(receive, self._behaviour.latency_seconds(model))
        if fails:
            asked.errors += 1
            await _refuse(send, dials.error_status, "The stub was told to fail this request.")
            return
        if dials.garbage:
            await send_garbage(send, streams=document.get("stream") is True)
            return
        users = [text_of(message.get("content")) for message in document["messages"] if message.get("role") == "user"]
        text = made_answer(model, users[-1] if users else "", dials.quality)
        message = _message(document, text, dials)
        if document.get("stream") is True:
            await _stream(message, dials, receive, send)
        elif dials.cut_after is not None:
            await send_half(send, orjson.dumps(message))
        else:
            await send_json(send, 200, orjson.dumps(message))


def _fault(document: object, key: str | None, version: str | None) -> tuple[int, str] | None:
    if not key:
        return 401, "x-api-key header is required"
    if version is None:
        return 400, "anthropic-version: header is required"
    if not isinstance(document, dict) or not isinstance(document.get("model"), str):
        return 400, "model: Field required"
    messages = document.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return 400, "messages: Field required"
    if not isinstance(document.get("max_tokens"), int):
        return 400, "max_tokens: Field required"
    if any(message.get("role") not in {"user", "assistant"} for message in messages):
        return 400, "messages: Unexpected role"
    return None


def _message(document: Mapping[str, Any], text: str, dials: Dials) -> dict[str, Any]:
    choice = document.get("tool_choice") or {}
    demanded = choice.get("type") in {"any", "tool"} and document.get("tools")
    made = hashlib.sha256(f"{document['model']}\0{text}".encode()).hexdigest()[:24]
    name = choice.get("name") or (demanded[0]["name"] if demanded else "")
    use = {"type": "tool_use", "id": f"toolu_{made}", "name": name, "input": {"subject": text[:40]}}
    taken = tokens(sum(len(text_of(message.get("content"))) for message in document["messages"]))
    return {
        "id": f"msg_{made}",
        "type": "message",
        "role": "assistant",
        "model": document["model"],
        "content": [use] if demanded else [{"type": "text", "text": text}],
        "stop_reason": "tool_use" if demanded else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": dials.input_tokens if dials.input_tokens is not None else taken,
            "output_tokens": dials.output_tokens if dials.output_tokens is not None else tokens(len(text)),
        },
    }


async def _stream(message: dict[str, Any], dials: Dials, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    block, usage = message["content"][0], message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    await _event(send, {"type": "message_start", "message": begun})
    empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
    await _event(send, {"type": "content_block_start", "index": 0, "content_block": empty})
    await _event(send, {"type": "ping"})
    if block["type"] == "text":
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    else:
        given = orjson.dumps(block["input"]).decode()
        halves = ("", given[:9], given[9:])
        deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves]
    for number, delta in enumerate(deltas):
        if dials.cut_after is not None and number >= dials.cut_after:
            return  # the server ends a connection whose answer is not whole
        if number:
            await wait(receive, dials.chunk_delay_ms / 1000)
        await _event(send, {"type": "content_block_delta", "index": 0, "delta": delta})
    await _event(send, {"type": "content_block_stop", "index": 0})
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    await _event(send, {"type": "message_delta", "delta": ended, "usage": {"output_tokens": usage["output_tokens"]}})
    await _event(send, {"type": "message_stop"})
    await send({"type": "http.response.body", "body": b""})


async def _event(send: Send, document: Mapping[str, Any]) -> None:
    text = b"event: " + str(document["type"]).encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"
    await send({"type": "http.response.body", "body": text, "more_body": True})


async def _refuse(send: Send, status: int, message: str) -> None:
    kind = _KINDS.get(status, "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}}
    await send_json(send, status, orjson.dumps(body))
