from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from sluice.gateway.gathered import MOST_TOGETHER, Gathered
from sluice.gateway.store import connect

pytestmark = pytest.mark.anyio


class Trips:
    """A store that counts how often it is asked; `fails` is raised in place of an answer."""

    def __init__(self) -> None:
        self.redis = FakeAsyncRedis()
        self.sizes: list[int] = []
        self.fails: Exception | None = None

    async def run(self, ask: Callable[[Redis], Awaitable[list[Any]]]) -> list[Any]:
        await asyncio.sleep(0.01)
        if self.fails is not None:
            raise self.fails
        answers = await ask(self.redis)
        self.sizes.append(len(answers))
        return answers


async def test_what_comes_while_a_command_is_under_way_goes_together() -> None:
    trips = Trips()
    gathered = Gathered(trips.run)
    first = asyncio.create_task(gathered.ask("SET", "a", "1"))
    await asyncio.sleep(0.001)

    rest = await asyncio.gather(*(gathered.ask("GET", "a") for _ in range(5)))

    assert await first
    assert rest == [b"1"] * 5
    assert trips.sizes == [1, 5]


async def test_no_more_go_together_than_pass_in_an_operations_time() -> None:
    trips = Trips()
    gathered = Gathered(trips.run)

    answers = await asyncio.gather(*(gathered.ask("ECHO", str(number)) for number in range(MOST_TOGETHER * 2 + 1)))

    assert answers == [str(number).encode() for number in range(MOST_TOGETHER * 2 + 1)]
    assert trips.sizes == [MOST_TOGETHER, MOST_TOGETHER, 1]


async def test_who_leaves_takes_no_other_answer_along() -> None:
    trips = Trips()
    gathered = Gathered(trips.run)
    first, second = asyncio.create_task(gathered.ask("ECHO", "1")), asyncio.create_task(gathered.ask("ECHO", "2"))
    await asyncio.sleep(0.001)

    first.cancel()

    assert await second == b"2"
    assert await gathered.ask("ECHO", "3") == b"3"


async def test_a_command_that_is_refused_is_the_only_one_that_fails() -> None:
    trips = Trips()
    await trips.redis.set("a", "a text")
    gathered = Gathered(trips.run)

    refused, answered = await asyncio.gather(gathered.ask("LPUSH", "a", "1"), gathered.ask("GET", "a"))

    assert isinstance(refused, ResponseError)
    assert answered == b"a text"


async def test_a_store_that_fails_is_told_to_everybody_and_asked_again_by_the_next() -> None:
    trips = Trips()
    gathered = Gathered(trips.run)
    trips.fails = ConnectionError("gone")
    failed = await asyncio.gather(*(gathered.ask("ECHO", "1") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [ConnectionError] * 3

    trips.fails = None
    assert await gathered.ask("ECHO", "2") == b"2"


async def test_one_connection_is_kept_and_made_anew_where_the_other_side_has_hung_up(
    tmp_path: Path, eventually: Any
) -> None:
    async with redis_like() as (url, callers):
        redis = connect(url, tmp_path / "none", operation_seconds=5.0)
        gathered = Gathered(lambda ask: ask(redis))
        answers = [await gathered.ask("ECHO", "1") for _ in range(3)]
        assert (answers, len(callers)) == ([b"PONG"] * 3, 1)

        callers[0].close()  # as a Redis does that ends, or that thinks nobody is there
        connection: Any = gathered._line._connection
        await eventually(connection._reader.at_eof)
        assert await gathered.ask("ECHO", "2") == b"PONG"
        assert len(callers) == 2
        await gathered.close()


async def test_an_answer_that_came_too_late_is_not_taken_for_the_next_one(tmp_path: Path, eventually: Any) -> None:
    async with redis_like(late_seconds=0.3) as (url, callers):
        redis = connect(url, tmp_path / "none", connect_seconds=5.0, operation_seconds=0.05)
        gathered = Gathered(lambda ask: ask(redis))
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await gathered.ask("GET", "a")
        await eventually(lambda: len(callers) == 2)  # the one whose answer may still come is not used again
        await gathered.close()


@asynccontextmanager
async def redis_like(late_seconds: float = 0.0) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Give the address of something that answers everything with PONG, and those who came to it."""
    callers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer)
        with suppress(ConnectionError):
            while said := await reader.read(4096):
                if b"CLIENT" not in said:
                    await asyncio.sleep(late_seconds)
                writer.write(b"+PONG\r\n" * max(1, said.count(b"CLIENT")))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", callers
    finally:
        server.close()
        for caller in callers:
            caller.close()
