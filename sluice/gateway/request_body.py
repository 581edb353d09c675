"""Reads a request's body: no more than it may have, in no more time than it may take.

A body that is too large is read on for a while and thrown away: whoever is cut off in the middle of sending sees a
reset connection and not the answer that says why.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from sluice.gateway.caller import CallerLeft
from sluice.gateway.refusals import BodyEncoded, BodyTooLarge, BodyTooSlow

BODY_LIMIT_BYTES = 4 * 1024**2
_DRAINED_BYTES = 64 * 1024**2
_DRAINED_SECONDS = 5.0


async def read_body(scope: Scope, receive: Receive, seconds: float) -> bytes:
    """Return the whole body.

    Raises BodyTooLarge, BodyTooSlow, BodyEncoded and CallerLeft.
    """
    headers = dict(scope["headers"])
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if encoding != "identity":
        raise BodyEncoded(encoding)
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > BODY_LIMIT_BYTES:
        if headers.get(b"expect", b"").lower() != b"100-continue":  # such a caller has not begun, and need not
            await _drain(receive)
        raise BodyTooLarge(BODY_LIMIT_BYTES)
    try:
        async with asyncio.timeout(seconds):
            body = await _read(receive)
    except TimeoutError as error:
        raise BodyTooSlow(seconds) from error
    if body is None:
        await _drain(receive)
        raise BodyTooLarge(BODY_LIMIT_BYTES)
    return body


async def _read(receive: Receive) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_LIMIT_BYTES:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _drain(receive: Receive) -> None:
    left = _DRAINED_BYTES
    try:
        async with asyncio.timeout(_DRAINED_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerLeft
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
