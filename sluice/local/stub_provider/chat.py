"""POST .../chat/completions of the stub: OpenAI's request in, a made answer out, whole or as a stream of events.

Waiting is done by waiting for the caller to hang up, for at most so long: that blocks nothing and notices who left.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from sluice.local.stub_provider.answers import made_answer
from sluice.local.stub_provider.behaviour import Behaviour, Dials
from sluice.local.stub_provider.refusals import StubRefusal, send_json
from sluice.local.stub_provider.request_log import Asked, RequestLog, key_fingerprint

_CHARACTERS_PER_TOKEN = 4  # OpenAI's rule of thumb for English


class CallerLeft(Exception):
    """The caller hung up while it was kept waiting."""


@dataclass(frozen=True, slots=True)
class _Chat:
    model: str
    messages: list[Mapping[str, Any]]
    streams: bool
    includes_usage: bool
    wants_json: bool

    def last_user_message(self) -> str:
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return ""


class ChatCompletions:
    """The route, as an ASGI application."""

    def __init__(self, behaviour: Behaviour, log: RequestLog) -> None:
        self._behaviour = behaviour
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as the dials of its model say."""
        request = Request(scope, receive)
        try:
            key = bearer_key(request)
            document = _document(await request.body())
            chat = _read(document)
        except ClientDisconnect:
            return
        except StubRefusal as refusal:
            await refusal.send(send)
            return
        asked = self._log.of(chat.model)
        asked.requests += 1
        asked.streams += chat.streams
        asked.last_user = document.get("user") if isinstance(document.get("user"), str) else None
        asked.last_request_id = request.headers.get("x-request-id")
        asked.last_key_present, asked.last_key_fingerprint = True, key_fingerprint(key)
        if not self._behaviour.takes(chat.model, key_fingerprint(key)):
            asked.errors += 1
            refused = StubRefusal(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.")
            await refused.send(send)
            return
        try:
            await self._answer(chat, asked, receive, send)
        except CallerLeft:
            asked.hung_up += 1

    async def _answer(self, chat: _Chat, asked: Asked, receive: Receive, send: Send) -> None:
        dials = self._behaviour.dials(chat.model)
        if not dials.exists:
            asked.errors += 1
            message = f"The model `{chat.model}` does not exist or you do not have access to it."
            await StubRefusal(404, "invalid_request_error", "model_not_found", message, "model").send(send)
            return
        fails = self._behaviour.fails(chat.model)
        await wait(receive, self._behaviour.latency_seconds(chat.model))
        if fails:
            asked.errors += 1
            kind = "rate_limit_exceeded" if dials.error_status == 429 else "server_error"
            await StubRefusal(dials.error_status, kind, kind, "The stub was told to fail this request.").send(send)
            return
        if dials.garbage:
            await send_garbage(send, streams=chat.streams)
            return
        text = made_answer(chat.model, chat.last_user_message(), dials.quality)
        if chat.wants_json:
            text = orjson.dumps({"answer": text}).decode()
        usage = _usage(chat, dials, text)
        if chat.streams:
            await self._stream(chat, dials, text, usage, receive, send)
        elif dials.cut_after is not None:
            await send_half(send, orjson.dumps(_whole(chat, text, usage)))
        else:
            await send_json(send, 200, orjson.dumps(_whole(chat, text, usage)))

    async def _stream(
        self, chat: _Chat, dials: Dials, text: str, usage: dict[str, int], receive: Receive, send: Send
    ) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        head = _head(chat, text, "chat.completion.chunk")
        deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
        deltas += [({"content": piece}, None) for piece in pieces(text)]
        deltas.append(({}, "stop"))
        for number, (delta, finish) in enumerate(deltas):
            if dials.cut_after is not None and number > dials.cut_after:
                return  # the server ends a connection whose answer is not whole
            if number > 1:
                await wait(receive, dials.chunk_delay_ms / 1000)
            chunk: dict[str, object] = {
                **head,
                "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            }
            if chat.includes_usage:
                chunk["usage"] = None
            await _send_event(send, orjson.dumps(chunk))
        if chat.includes_usage:
            await _send_event(send, orjson.dumps({**head, "choices": [], "usage": usage}))
        await _send_event(send, b"[DONE]")
        await send({"type": "http.response.body", "body": b""})


async def send_garbage(send: Send, *, streams: bool) -> None:
    """Send an answer that says of itself what it is not."""
    if not streams:
        await send_json(send, 200, b"<html>\xff\x00 this is no answer")
        return
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'data: {"choices": [{"delta"\xff\x00\n\n'})


async def send_half(send: Send, body: bytes) -> None:
    """Send half of an answer; the server ends a connection whose answer is not whole."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def bearer_key(request: Request) -> str:
    """Return the caller's key. Raises StubRefusal with 401 where there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        message = "You didn't provide an API key. Provide it in an Authorization header: Bearer YOUR_KEY."
        raise StubRefusal(401, "invalid_request_error", "invalid_api_key", message)
    return key.strip()


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise StubRefusal(400, "invalid_request_error", "invalid_json", f"Not JSON: {error}") from error
    if not isinstance(document, dict):
        raise StubRefusal(400, "invalid_request_error", "invalid_json", "The body must be a JSON object.")
    return document


def _read(document: Mapping[str, Any]) -> _Chat:
    model, messages = document.get("model"), document.get("messages")
    if not isinstance(model, str) or not model:
        raise StubRefusal(400, "invalid_request_error", "invalid_value", "You must provide a model.", "model")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise StubRefusal(400, "invalid_request_error", "invalid_value", "You must provide messages.", "messages")
    options = document.get("stream_options")
    form = document.get("response_format")
    return _Chat(
        model,
        messages,
        streams=document.get("stream") is True,
        includes_usage=isinstance(options, dict) and options.get("include_usage") is True,
        wants_json=isinstance(form, dict) and form.get("type") in {"json_object", "json_schema"},
    )


async def wait(receive: Receive, seconds: float) -> None:
    """Wait, unless the caller hangs up. Raises CallerLeft."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
    raise CallerLeft


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})


def _head(chat: _Chat, text: str, kind: str) -> dict[str, object]:
    made = hashlib.sha256(f"{chat.model}\0{text}".encode()).hexdigest()[:24]
    return {"id": f"chatcmpl-{made}", "object": kind, "created": int(time.time()), "model": chat.model}


def _whole(chat: _Chat, text: str, usage: dict[str, int]) -> dict[str, object]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_head(chat, text, "chat.completion"), "choices": [choice], "usage": usage}


def _usage(chat: _Chat, dials: Dials, text: str) -> dict[str, int]:
    asked = sum(len(text_of(message.get("content"))) for message in chat.messages)
    taken = dials.input_tokens if dials.input_tokens is not None else tokens(asked) + 4 * len(chat.messages)
    given = dials.output_tokens if dials.output_tokens is not None else tokens(len(text))
    return {"prompt_tokens": taken, "completion_tokens": given, "total_tokens": taken + given}


def tokens(characters: int) -> int:
    """Return about how many tokens that many characters are."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def pieces(text: str) -> list[str]:
    """Return the text word by word, as a stream brings it."""
    words = text.split(" ")
    return [word if number == 0 else f" {word}" for number, word in enumerate(words)]


def text_of(content: object) -> str:
    """Return the text of a message's content, which may be in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""
