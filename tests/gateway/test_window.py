from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fakeredis import FakeServer
from prometheus_client import CollectorRegistry

from sluice.gateway.store import SharedStore
from sluice.gateway.window import Full, Window, pass_through

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MakeReplica = Callable[..., "Replica"]


class Replica:
    def __init__(self, store: SharedStore, **rate: float) -> None:
        self.store = store
        self.window = Window("sluice:dev:rate", **rate)  # type: ignore[arg-type]

    async def take(self) -> float | None:
        try:
            return await pass_through(self.store, [self.window])
        except Full:
            return None


@pytest.fixture
async def stores(connect_redis: Callable[[], object]) -> AsyncIterator[list[SharedStore]]:
    """Three replicas' stores."""
    opened = [SharedStore("dev", connect_redis(), CollectorRegistry()) for _ in range(3)]  # type: ignore[arg-type]
    for store in opened:
        await store.open()
    yield opened
    for store in opened:
        await store.close()


async def test_replicas_together_let_through_what_one_may(stores: list[SharedStore]) -> None:
    replicas = [Replica(store, requests=10, stretch_seconds=60, replicas=3) for store in stores]
    taken = await asyncio.gather(*(replica.take() for replica in replicas for _ in range(20)))
    assert [wait for wait in taken if wait is not None] == [0.0] * 10


async def test_room_comes_back_when_the_first_has_left_the_stretch(stores: list[SharedStore]) -> None:
    one, two, _ = (Replica(store, requests=2, stretch_seconds=0.3, replicas=3) for store in stores)
    assert [await one.take(), await two.take()] == [0.0, 0.0]
    assert await two.take() is None
    await asyncio.sleep(0.32)
    assert await two.take() == 0.0
    assert await one.take() == 0.0
    assert await one.take() is None


async def test_nobody_waits_longer_than_allowed_and_each_gets_a_turn_of_its_own(stores: list[SharedStore]) -> None:
    replicas = [Replica(store, requests=2, stretch_seconds=60, replicas=3, most_wait_seconds=150) for store in stores]
    taken = await asyncio.gather(*(replica.take() for replica in replicas for _ in range(4)))
    waits = sorted(wait for wait in taken if wait is not None)
    assert waits == pytest.approx([0, 0, 60, 60, 120, 120], abs=20)


@pytest.mark.parametrize("with_redis", [True, False])
async def test_who_does_not_wait_takes_what_room_there_is_and_nobody_elses_turn(
    stores: list[SharedStore], redis_server: FakeServer, with_redis: bool
) -> None:
    redis_server.connected = with_redis
    replica = Replica(stores[0], requests=2, stretch_seconds=60, replicas=1, most_wait_seconds=90)
    assert await pass_through(replica.store, [replica.window], now_or_never=True) == 0.0
    assert await replica.take() == 0.0
    for _ in range(3):
        with pytest.raises(Full) as full:
            await pass_through(replica.store, [replica.window], now_or_never=True)
        assert full.value.seconds == pytest.approx(60, abs=20)
    assert [await replica.take() for _ in range(2)] == [pytest.approx(60, abs=20)] * 2, "these wait, as ever"


async def test_a_full_rate_is_not_asked_for_again_until_it_may_have_room(
    stores: list[SharedStore], redis_server: FakeServer
) -> None:
    replica = Replica(stores[0], requests=1, stretch_seconds=60, replicas=1)
    await replica.take()
    with pytest.raises(Full) as first:
        await pass_through(replica.store, [replica.window])
    redis_server.connected = False  # a question would find that out
    with pytest.raises(Full) as again:
        await pass_through(replica.store, [replica.window])
    assert again.value.seconds == pytest.approx(first.value.seconds, abs=1)
    assert first.value.seconds == pytest.approx(60, abs=1)
    assert replica.store.up


async def test_what_one_rate_refuses_another_does_not_count(stores: list[SharedStore]) -> None:
    agent = Window("agent", 3, 60, replicas=1)
    caller = Window("caller", 1, 60, replicas=1)
    await pass_through(stores[0], [caller, agent])
    for _ in range(5):
        with pytest.raises(Full) as full:
            await pass_through(stores[1], [Window("caller", 1, 60, replicas=1), agent])
        assert full.value.window.key == "caller"
    for _ in range(2):
        await pass_through(stores[0], [agent])
    with pytest.raises(Full):
        await pass_through(stores[0], [agent])


async def test_a_busy_rate_asks_redis_for_shares(stores: list[SharedStore], monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = [Replica(store, requests=1000, stretch_seconds=60, replicas=3) for store in stores]
    asked = 0
    evaluate = SharedStore.evaluate

    async def counted(store: SharedStore, *script: Any) -> object:
        nonlocal asked
        asked += 1
        return await evaluate(store, *script)

    monkeypatch.setattr(SharedStore, "evaluate", counted)
    taken = [await replica.take() for _ in range(500) for replica in replicas]
    assert taken.count(0.0) == 1000
    assert asked == 100 + 3  # each share of ten once, and each replica hears once that there is no more


async def test_many_at_once_take_one_share_between_them_and_not_one_each(
    stores: list[SharedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share each would use up a rate of a thousand with a hundred requests, and refuse the others."""
    replica = Replica(stores[0], requests=1000, stretch_seconds=60, replicas=3)
    evaluate = SharedStore.evaluate

    async def from_afar(store: SharedStore, *script: Any) -> object:
        await asyncio.sleep(0.001)  # all of them come before the first answer does
        return await evaluate(store, *script)

    monkeypatch.setattr(SharedStore, "evaluate", from_afar)
    taken = await asyncio.gather(*(replica.take() for _ in range(150)))
    assert taken == [0.0] * 150


async def test_without_redis_each_replica_keeps_its_part(stores: list[SharedStore], redis_server: FakeServer) -> None:
    redis_server.connected = False
    replicas = [Replica(store, requests=9, stretch_seconds=60, replicas=3) for store in stores]
    for replica in replicas:
        taken = [await replica.take() for _ in range(10)]
        assert taken.count(0.0) == 3


async def test_more_replicas_than_requests_keep_the_rate_without_redis(redis_server: FakeServer) -> None:
    store = SharedStore("dev", None, CollectorRegistry())
    replica = Replica(store, requests=1, stretch_seconds=0.1, replicas=5)
    began = time.monotonic()
    assert await replica.take() == 0.0
    while await replica.take() is None:
        await asyncio.sleep(0.01)
    assert time.monotonic() - began >= 0.5


async def test_what_was_let_through_counts_when_redis_is_lost(
    stores: list[SharedStore], redis_server: FakeServer
) -> None:
    replica = Replica(stores[0], requests=4, stretch_seconds=60, replicas=2)
    assert [await replica.take() for _ in range(4)] == [0.0] * 4
    redis_server.connected = False
    assert await replica.take() is None


async def test_a_clock_of_redis_that_went_back_does_not_lock_everybody_out(
    stores: list[SharedStore], redis_server: FakeServer
) -> None:
    ahead = int((time.time() + 3600) * 1e6)
    await stores[0].run(lambda redis: redis.lpush("sluice:dev:rate", ahead, ahead))
    assert await Replica(stores[0], requests=2, stretch_seconds=60, replicas=1).take() == 0.0


async def test_logs_expire(stores: list[SharedStore]) -> None:
    await Replica(stores[0], requests=2, stretch_seconds=60, replicas=1).take()
    left = await stores[0].run(lambda redis: redis.ttl("sluice:dev:rate"))
    assert 55 <= left <= 62


async def test_who_waited_for_a_share_has_its_part_however_late_the_turn_comes(
    stores: list[SharedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    evaluate = stores[0].evaluate

    async def counted(*script: Any) -> Any:
        nonlocal asked
        asked += 1
        answer = await evaluate(*script)
        time.sleep(0.15)  # the loop is held up for longer than a share is good for
        return answer

    monkeypatch.setattr(stores[0], "evaluate", counted)
    replica = Replica(stores[0], requests=10_000, stretch_seconds=1, replicas=1)

    taken = await asyncio.gather(*(replica.take() for _ in range(50)))

    assert taken == [0.0] * 50
    assert asked == 1
