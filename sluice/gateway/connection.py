"""uvicorn's HTTP protocol with bounds on what comes before a request's body.

uvicorn's own reads header after header as long as they come, and waits for them forever: one caller could fill the
memory, or hold connections open, with no request ever made. What is refused here is answered in the shape of OpenAI's
errors, like everything else, and the connection is closed.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sluice.gateway.head_with_body import HeadWithBody
from sluice.gateway.refusals import Refusal

HEAD_LIMIT_BYTES = 32 * 1024
HEADERS_LIMIT = 100
HEAD_SECONDS = 15.0


class HeadTooLarge(Refusal):
    """More or longer headers than a request needs."""

    status = 431
    code = "request_headers_too_large"

    def __init__(self) -> None:
        super().__init__(
            f"The request has more than {HEADERS_LIMIT} headers, or more than {HEAD_LIMIT_BYTES // 1024} KiB of them."
        )


class HeadTooSlow(Refusal):
    """The headers did not come to their end."""

    status = 408
    code = "request_timeout"

    def __init__(self) -> None:
        super().__init__(f"The request's headers did not arrive within {HEAD_SECONDS:g} seconds.")


class NotHttp(Refusal):
    """Bytes that are no HTTP request."""

    status = 400
    code = "invalid_http"

    def __init__(self) -> None:
        super().__init__("This is not a valid HTTP/1.1 request.")


_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class BoundedHead(HttpToolsProtocol):
    """One connection of a caller."""

    head_seconds: ClassVar[float] = HEAD_SECONDS

    _in_head = True
    _head_bytes = 0
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(cast("asyncio.Transport", HeadWithBody(transport, self.loop)))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head grows too large before it ends."""
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse(HeadTooLarge())

    def on_message_begin(self) -> None:
        """Begin to count a head; also one that follows another request on the same connection."""
        super().on_message_begin()
        self._in_head = True
        if self._deadline is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Let the request through if its head is within bounds."""
        self._in_head = False
        self._head_bytes = 0
        self._stop_waiting()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.headers) > HEADERS_LIMIT or size > HEAD_LIMIT_BYTES:
            self._refuse(HeadTooLarge())
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Read on, unless the request was refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, unless it was refused."""
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; `msg` is uvicorn's word for it."""
        del msg
        self._refuse(NotHttp())

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._is_answering():
            self._wait_for_head()
        elif self._head_bytes:
            self._refuse(HeadTooSlow())
        else:  # nobody asked anything
            self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, refusal: Refusal) -> None:
        if self._refused:
            return
        self._refused = True
        self._stop_waiting()
        if self._is_answering():
            self.transport.close()  # an answer is under way: another cannot be put into it
            return
        body = refusal.body()
        head = (
            f"HTTP/1.1 {refusal.status} {_REASONS[refusal.status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
