"""How many requests this process answers at once: beyond that a few wait shortly, and the rest hear so at once.

A request takes its seat before its body is read, so that what is not answered costs next to nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from sluice.gateway.limited import Overloaded
from sluice.gateway.metrics import UNKNOWN_AGENT, Metrics

WAIT_SECONDS = 2.0


class Seats:
    """`async with seats:` around all that a request does; raises Overloaded."""

    def __init__(self, at_once: int, waiting: int, metrics: Metrics) -> None:
        self._at_once = at_once
        self._most_waiting = waiting
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = 0
        self._metrics = metrics

    async def __aenter__(self) -> None:
        if self._taken < self._at_once:
            self._take(1)
            return
        if len(self._waiting) >= self._most_waiting:
            raise self._overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave()  # the seat came at the very moment the wait ended
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise self._overloaded() from error
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _overloaded(self) -> Overloaded:
        self._metrics.count_limited(UNKNOWN_AGENT, Overloaded.limit)
        return Overloaded(self._at_once)

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the seat is handed on, and so stays taken
                return
        self._take(-1)

    def _take(self, seats: int) -> None:
        self._taken += seats
        self._metrics.in_flight(self._taken)
