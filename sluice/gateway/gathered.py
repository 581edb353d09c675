"""Commands of many requests to Redis, sent together: while some are under way, those that come wait and go as one.

A question to Redis costs this process more than Redis itself, and most of that is for the trip and not for what it
carries. So a busy process makes fewer trips, and one that is not busy asks at once, as before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

MOST_TOGETHER = 16
"""Of the largest answers that are kept, so many pass within the time that an operation may take."""

Command = tuple[bytes | str | int, ...]


class Gathered:
    """Commands that go together by `run`, which gets what a Redis answers or raises."""

    def __init__(self, run: Callable[[Callable[[Redis], Awaitable[list[Any]]]], Awaitable[list[Any]]]) -> None:
        self._run = run
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def ask(self, *command: bytes | str | int) -> Any:
        """Return what Redis answers to a command, an error of its own as an exception that is not raised.

        Raises what `run` raises.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._sending is None:
            # A task of its own: whoever asked first may leave, and the others must not lose their answers by that.
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        try:
            while self._waiting:
                together = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
                together = [one for one in together if not one[1].done()]  # some may have left
                if together:
                    await self._send_together(together)
        finally:
            self._sending = None

    async def _send_together(self, together: list[tuple[Command, asyncio.Future[Any]]]) -> None:
        try:
            answers = await self._run(lambda redis: _asked(redis, [command for command, _ in together]))
            for (_, answer), said in zip(together, answers, strict=True):
                if not answer.done():  # who asked has not left
                    answer.set_result(said)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told to whoever asked
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
        finally:
            for _, answer in together:  # all are done, unless the process is ending
                answer.cancel()


async def _asked(redis: Redis, commands: list[Command]) -> list[Any]:
    if len(commands) == 1:
        return [await redis.execute_command(*commands[0])]  # type: ignore[no-untyped-call]
    pipeline = redis.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute(raise_on_error=False)
