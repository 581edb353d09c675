"""Whether the caller is still there: work for one that has hung up is stopped, the provider's included.

The server learns of a hang-up by itself but tells it only to who asks `receive`; this asks beside the work.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.types import Receive


class CallerLeft(Exception):
    """The caller has hung up: nobody's mistake, and nobody is left to be told."""


class UntilCallerLeaves:
    """Cancels the work inside `async with` when the caller hangs up, and raises CallerLeft in its place.

    For use after the request's body has been read: from then on a hang-up is all that `receive` can bring.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in a task
        self._task = task
        self._cancels_before = task.cancelling()
        self._watch = asyncio.create_task(self._wait())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        # As asyncio.timeout does it: a cancellation is only ours to turn into an error if nobody else asked for one.
        if self._left and self._task.uncancel() <= self._cancels_before and kind is asyncio.CancelledError:
            raise CallerLeft from error

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self._task.cancel()
