"""The id of a request: the caller's own where it sent a sane one, else a new one.

It goes to the provider as x-request-id, back to the caller as x-sluice-request-id, and into every log line that is
written while the request is served, so that one search finds all three. Providers give an id of their own, which their
people ask for: it is logged beside ours.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluice.gateway import log

SCOPE_KEY = "sluice.request_id"
ANSWER_HEADER = b"x-sluice-request-id"

_HEADER = b"x-request-id"
_PROVIDERS_HEADERS = (b"x-request-id", b"request-id", b"mistral-correlation-id")
"""OpenAI's, Anthropic's and Mistral's."""

_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class WithRequestId:
    """Gives every request its id, and every answer the header that says it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        request_id = given if _SANE.fullmatch(given) else new_request_id().encode("ascii")
        others = [header for header in scope["headers"] if header[0] != _HEADER]
        scope["headers"] = [*others, (_HEADER, request_id)]
        scope[SCOPE_KEY] = request_id.decode("ascii")
        log.request_id.set(scope[SCOPE_KEY])

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (ANSWER_HEADER, request_id)]
            await send(message)

        await self._app(scope, receive, send_with_id)


def provider_request_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return what a provider calls a request, by the headers of its answer; None where it says nothing sane."""
    found = {name: value for name, value in headers if name in _PROVIDERS_HEADERS and _SANE.fullmatch(value)}
    return next((found[name].decode("ascii") for name in _PROVIDERS_HEADERS if name in found), None)


def new_request_id() -> str:
    """Return a UUID of version 7: its first half rises with time, the rest is random."""
    digits = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
