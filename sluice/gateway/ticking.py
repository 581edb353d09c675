"""Does one thing again and again beside the requests, from the opening of the gateway to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Ticking:
    """Awaits `tick`, rests for `seconds`, and so on; `rests_first` where what opens it has done the first itself.

    A tick that raises ends it, so each says for itself in the log what must not.
    """

    def __init__(self, tick: Callable[[], Awaitable[None]], seconds: float, *, rests_first: bool = False) -> None:
        self._tick = tick
        self._seconds = seconds
        self._rests_first = rests_first
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._forever())

    async def close(self) -> None:
        """Stop, be it in the middle of a tick."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _forever(self) -> None:
        if self._rests_first:
            await asyncio.sleep(self._seconds)
        while True:
            await self._tick()
            if self._closed:  # a cancellation that meets a time limit of the store's client is lost in it (Python 3.11)
                return
            await asyncio.sleep(self._seconds)
