"""Sends the head of an answer together with what comes of its body in the same turn of the loop.

uvicorn writes them one by one, and each write is a call into the kernel that wakes whoever waits for the answer: for
most answers once to no purpose.
"""

from __future__ import annotations

import asyncio
from typing import Any

_BEGINS_A_HEAD = b"HTTP/1.1 "


class HeadWithBody:
    """Stands in place of a connection's transport; all but `write` and `close` is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        """Return what the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write what was held and `data`, or hold `data` if it looks like a head: until the next call, or turn."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(_BEGINS_A_HEAD):
            self._held = data
            self._loop.call_soon(self._write_held)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Write what was held, and close the connection when it is sent."""
        self._write_held()
        self._transport.close()

    def _write_held(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
