"""Overhears an answer on its way to the caller: its text and how it ended, as the caller got it.

It stands in the place of the server's `send`, behind everything that changes an answer, and hands every message on at
once; a stream's pieces are never held back. At most 64 KiB of text are kept. Only where a header must be said that
depends on the answer does the head of a whole answer wait for its body, which is there already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.types import Message, Send

TEXT_CHARACTERS = 64 * 1024
_LINE_BYTES = 256 * 1024

Headers = list[tuple[bytes, bytes]]
Decide = Callable[["Heard"], Awaitable[Headers]]


class Heard:
    """One answer as it passes. `listen` begins; what was not listened to is handed on untouched."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._listens = False
        self._decide: Decide | None = None
        self._needs_body = False
        self._held: Message | None = None
        self._pieces: list[str] = []
        self._size = 0
        self._rest = b""
        self.status = 0
        self.streams = False
        self.good = False
        """Whether its status says that it is an answer."""
        self.finish_reason: str | None = None
        self.has_tool_calls = False
        self.ended = False
        """Whether all of it was handed on."""

    @property
    def text(self) -> str:
        """What it says, as far as it was kept."""
        return "".join(self._pieces)

    def listen(self, decide: Decide | None = None, *, needs_body: bool = False) -> None:
        """Keep the text. `decide` may add headers before the head is sent, having seen the body where it must."""
        self._listens = True
        self._decide = decide
        self._needs_body = needs_body

    async def __call__(self, message: Message) -> None:
        """Hand a message on, as the server's `send`."""
        if not self._listens:
            self.status = message.get("status", self.status)
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._start(message)
        else:
            await self._body(message)

    async def _start(self, message: Message) -> None:
        self.status = message["status"]
        self.good = self.status < 300
        self.streams = any(
            name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"]
        )
        if self.good and self._decide is not None:
            if self._needs_body and not self.streams:
                self._held = message
                return
            message["headers"] = [*message["headers"], *await self._decide(self)]
        await self._send(message)

    async def _body(self, message: Message) -> None:
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if self._held is not None:
            held, self._held = self._held, None
            self._hear_whole(body)
            if self._decide is not None:
                held["headers"] = [*held["headers"], *await self._decide(self)]
            await self._send(held)
            await self._send(message)
        else:
            await self._send(message)
            if self.good:
                self._hear_stream(body) if self.streams else self._hear_whole(body)
        self.ended = self.ended or not more

    def _hear_whole(self, body: bytes) -> None:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return
        self._hear_choice(document, "message")

    def _hear_stream(self, chunk: bytes) -> None:
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()[-_LINE_BYTES:]
        for line in lines:
            if not line.startswith(b"data:") or b'"choices"' not in line:
                continue
            try:
                document = orjson.loads(line[5:])
            except orjson.JSONDecodeError:
                continue
            self._hear_choice(document, "delta")

    def _hear_choice(self, document: Any, part: str) -> None:
        """Take the text of the first choice; callers that ask for several get scored by their first."""
        choices = document.get("choices") if isinstance(document, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict) or choice.get("index", 0) != 0:
                continue
            if isinstance(choice.get("finish_reason"), str):
                self.finish_reason = choice["finish_reason"]
            said = choice.get(part)
            if isinstance(said, dict):
                self.has_tool_calls = self.has_tool_calls or bool(said.get("tool_calls"))
                self._keep(text_of(said.get("content")))

    def _keep(self, text: str) -> None:
        room = TEXT_CHARACTERS - self._size
        if text and room > 0:
            self._pieces.append(text[:room])
            self._size += min(len(text), room)


def text_of(content: object) -> str:
    """Return the text of a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""
