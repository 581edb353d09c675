"""How long a provider's key has been in use outlives pods, and is never guessed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakeredis import FakeServer
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from sluice.gateway.key_ages import METRIC, KeyAges
from sluice.gateway.keys import KeyRing
from sluice.gateway.store import SharedStore

pytestmark = pytest.mark.anyio

FIRST, DAY = 1_760_000_000.0, 86_400.0


class Replica:
    """A gateway's keys, and what it shows of their ages."""

    def __init__(self, folder: Path, redis: Redis | None) -> None:
        self.registry = CollectorRegistry()
        self.keys = KeyRing(folder, {"mistral": "mistral-api-key"}, self.registry)
        self.store = SharedStore("dev", redis, self.registry)
        self.now = FIRST
        self.ages = KeyAges(self.keys, self.store, self.registry, lambda: self.now)

    async def note(self, now: float) -> float | None:
        """Look at the clock and the key, and return since when it is shown to be in use."""
        self.now = now
        self.keys.refresh()
        await self.ages.note()
        return self.registry.get_sample_value(METRIC, {"key": "mistral-api-key"})


@asynccontextmanager
async def replica(folder: Path, redis: Redis | None) -> AsyncIterator[Replica]:
    one = Replica(folder, redis)
    await one.store.open()
    try:
        yield one
    finally:
        await one.store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mistral-api-key").write_text("made-first-key\n")
    return tmp_path


async def test_a_new_pod_knows_since_when_the_key_is_in_use(folder: Path, connect_redis: Callable[[], Redis]) -> None:
    async with replica(folder, connect_redis()) as one:
        assert await one.note(FIRST) == FIRST
        assert await one.note(FIRST + DAY) == FIRST

    async with replica(folder, connect_redis()) as later:
        assert await later.note(FIRST + 91 * DAY) == FIRST


async def test_a_new_key_is_young(folder: Path, connect_redis: Callable[[], Redis]) -> None:
    async with replica(folder, connect_redis()) as one:
        await one.note(FIRST)
        (folder / "mistral-api-key").write_text("made-second-key\n")

        assert await one.note(FIRST + 91 * DAY) == FIRST + 91 * DAY


async def test_a_redis_that_forgot_hears_it_from_a_pod_that_knows(
    folder: Path, connect_redis: Callable[[], Redis]
) -> None:
    async with replica(folder, connect_redis()) as one:
        await one.note(FIRST)
        await connect_redis().flushall()
        assert await one.note(FIRST + DAY) == FIRST

    async with replica(folder, connect_redis()) as other:
        assert await other.note(FIRST + 2 * DAY) == FIRST


async def test_what_is_not_known_is_not_shown(
    folder: Path, connect_redis: Callable[[], Redis], redis_server: FakeServer
) -> None:
    async with replica(folder, None) as alone:
        assert await alone.note(FIRST) is None

    redis_server.connected = False
    async with replica(folder, connect_redis()) as cut_off:
        assert await cut_off.note(FIRST) is None
    redis_server.connected = True

    (folder / "mistral-api-key").unlink()
    async with replica(folder, connect_redis()) as keyless:
        assert await keyless.note(FIRST) is None


async def test_nothing_of_the_key_itself_is_kept(folder: Path, connect_redis: Callable[[], Redis]) -> None:
    async with replica(folder, connect_redis()) as one:
        await one.note(FIRST)

    redis = connect_redis()
    kept = {name: await redis.hgetall(name) for name in await redis.keys("*")}
    assert list(kept) == [b"sluice:dev:keys-first-used"]
    assert "made-first-key" not in str(kept)
