"""Commands of many requests to Redis, sent together: while some are under way, those that come wait and go as one.

A question to Redis costs this process more than Redis itself, and most of that is for the trip and not for what it
carries. So a busy process makes fewer trips, and one that is not busy asks at once. All go over one connection that is
kept, with one time limit for the trip: to borrow a connection and to time each command took longer than the rest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

MOST_TOGETHER = 16
"""Of the largest answers that are kept, so many pass within the time that an operation may take."""

Command = tuple[bytes | str | int, ...]


class Gathered:
    """Commands that go together by `run`, which gets what a Redis answers or raises."""

    def __init__(self, run: Callable[[Callable[[Redis], Awaitable[list[Any]]]], Awaitable[list[Any]]]) -> None:
        self._run = run
        self._line = _Line()
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

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()

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
            answers = await self._run(lambda redis: self._line.exchange(redis, [command for command, _ in together]))
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


class _Line:
    """One connection to a Redis, made when it is first needed and anew after every failure."""

    def __init__(self) -> None:
        self._connection: AbstractConnection | None = None
        self._connect_seconds: float | None = None
        self._seconds: float | None = None

    async def exchange(self, redis: Redis, commands: list[Command]) -> list[Any]:
        """Send commands together and return what Redis answers to each, its errors among them.

        Raises what the client raises where a connection fails, and TimeoutError.
        """
        connection = self._connection
        if connection is None:
            made = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            connection = self._connection = cast("AbstractConnection", made)
            # One limit for all of a trip in place of the client's own, which starts a task for each command.
            self._connect_seconds, self._seconds = connection.socket_connect_timeout, connection.socket_timeout
            connection.socket_timeout = None
        try:
            if not connection.is_connected or await connection.can_read():
                await self._connect(connection)
            async with asyncio.timeout(self._seconds):
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                return [await _answer(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)  # what was not read must not be taken for the next answer
            raise

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.disconnect()

    async def _connect(self, connection: AbstractConnection) -> None:
        """Connect, anew where the other side has hung up or said what nobody asked."""
        limit = None if self._seconds is None else self._seconds + (self._connect_seconds or 0.0)
        async with asyncio.timeout(limit):
            await connection.disconnect(nowait=True)
            await connection.connect()  # type: ignore[no-untyped-call]


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
