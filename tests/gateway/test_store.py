from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeServer
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from sluice.gateway.kept_tool import connect_patiently
from sluice.gateway.store import SharedStore, StoreAway, connect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@asynccontextmanager
async def opened(redis: Redis | None, registry: CollectorRegistry | None = None) -> AsyncIterator[SharedStore]:
    store = SharedStore("dev", redis, registry or CollectorRegistry())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def listening(answer: bytes | None, after_seconds: float = 0.0) -> AsyncIterator[str]:
    """Give the address of something that takes connections and answers everything with `answer`, late, or never."""
    kept = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)
        while await reader.read(4096):
            await asyncio.sleep(after_seconds)
            if answer is not None:
                writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in kept:
            writer.close()


async def test_replicas_see_what_others_wrote_under_the_environments_prefix(connect_redis: Any) -> None:
    async with opened(connect_redis()) as one, opened(connect_redis()) as two:
        await one.run(lambda redis: redis.set(one.key("breaker", "qa"), "open"))
        assert two.key("breaker", "qa") == "sluice:dev:breaker:qa"
        assert await two.run(lambda redis: redis.get("sluice:dev:breaker:qa")) == b"open"


async def test_a_store_that_is_slow_is_away_for_a_request_and_there_for_a_person(tmp_path: Path) -> None:
    async with listening(b"+PONG\r\n", after_seconds=0.5) as url:
        async with opened(connect(url, tmp_path / "none")) as store:
            assert not store.up
        async with opened(connect_patiently(url, tmp_path / "none")) as store:
            assert store.up


async def test_without_a_store_it_is_away_and_no_series_says_that_it_is_down() -> None:
    registry = CollectorRegistry()
    async with opened(None, registry) as store:
        with pytest.raises(StoreAway):
            await store.run(lambda redis: redis.get("x"))
    assert registry.get_sample_value("sluice_store_up") is None


async def test_a_lost_store_is_away_at_once_and_back_within_two_seconds(
    redis_server: FakeServer, connect_redis: Any, eventually: Any
) -> None:
    registry = CollectorRegistry()
    async with opened(connect_redis(), registry) as store:
        assert registry.get_sample_value("sluice_store_up") == 1
        redis_server.connected = False
        with pytest.raises(StoreAway):
            await store.run(lambda redis: redis.get("x"))
        assert registry.get_sample_value("sluice_store_up") == 0
        redis_server.connected = True
        with pytest.raises(StoreAway):  # not asked again before it was found well
            await store.run(lambda redis: redis.get("x"))
        await eventually(lambda: store.up)
        assert await store.run(lambda redis: redis.get("x")) is None


async def test_a_store_that_goes_away_while_nobody_asks_is_noticed(
    redis_server: FakeServer, connect_redis: Any, eventually: Any
) -> None:
    async with opened(connect_redis()) as store:
        redis_server.connected = False
        await eventually(lambda: not store.up)


async def test_a_store_that_takes_connections_and_never_answers_costs_its_time_limit_once(tmp_path: Path) -> None:
    async with listening(None) as url, opened(connect(url, tmp_path / "none")) as store:
        store._up = True
        with pytest.raises(StoreAway):
            await store.run(lambda redis: redis.get("x"))

        async def nobody(_redis: object) -> None:
            raise AssertionError("it was asked again")

        for _ in range(100):
            with pytest.raises(StoreAway):
                await store.run(nobody)


async def test_a_refused_connection_is_away(tmp_path: Path, closed_port: int) -> None:
    async with opened(connect(f"redis://127.0.0.1:{closed_port}", tmp_path / "none")) as store:
        assert not store.up


async def test_a_refused_command_is_away_for_that_command_alone(
    connect_redis: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(connect_redis()) as store:
        await store.run(lambda redis: redis.set("text", "users' own words"))
        for _ in range(3):
            with pytest.raises(StoreAway):
                await store.run(lambda redis: redis.lpush("text", "more words"))
        assert store.up
    told = [record for record in caplog.records if record.message == "store refused a command"]
    assert [record.fields for record in told] == [{"what": "ResponseError: WRONGTYPE"}]  # type: ignore[attr-defined]


async def test_the_password_is_the_files_of_that_moment(tmp_path: Path) -> None:
    password = tmp_path / "redis-password"
    assert connect("redis://cache", password).connection_pool.connection_kwargs["credential_provider"] is None
    password.write_text("made-password\n")
    provider = connect("redis://cache", password).connection_pool.connection_kwargs["credential_provider"]
    assert await provider.get_credentials_async() == ("made-password",)
    password.write_text("rotated-password\n")
    assert await provider.get_credentials_async() == ("rotated-password",)


async def test_closing_ends_although_a_time_limit_of_the_client_swallows_the_cancellation(
    connect_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.gateway.store.PROBE_SECONDS", 0.01)
    redis = connect_redis()
    pinging = asyncio.Event()

    async def swallowing() -> None:
        pinging.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            raise TimeoutError from error

    store = SharedStore("dev", redis, CollectorRegistry())
    await store.open()
    monkeypatch.setattr(redis, "ping", swallowing)
    await pinging.wait()
    async with asyncio.timeout(2):
        await store.close()
