from __future__ import annotations

from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from prometheus_client import CollectorRegistry

from sluice.gateway.breaker import Breaker
from sluice.gateway.breaker_sharing import BreakerSharing
from sluice.gateway.configuration import Breaker as Limits
from sluice.gateway.store import SharedStore

LIMITS = Limits(failures=5, open_seconds=60)


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.begin("m")
        breaker.failed("m", LIMITS)


def test_only_failures_in_a_row_open_it() -> None:
    breaker = Breaker(Clock())
    for _ in range(10):
        _fail(breaker, 4)
        breaker.begin("m")
        breaker.succeeded("m")
    assert breaker.admits("m")
    _fail(breaker, 5)
    assert not breaker.admits("m")
    assert breaker.is_open("m")


def test_one_request_at_a_time_tries_it_when_its_time_has_passed() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    _fail(breaker, 5)
    clock.now += 59.9
    assert not breaker.admits("m")
    clock.now += 0.2
    assert breaker.admits("m")
    breaker.begin("m")
    assert not breaker.admits("m")
    breaker.failed("m", LIMITS)
    clock.now += 59.9
    assert not breaker.admits("m")
    clock.now += 0.2
    breaker.begin("m")
    breaker.succeeded("m")
    _fail(breaker, 4)
    assert breaker.admits("m")


def test_a_trial_whose_caller_leaves_makes_room_for_the_next() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    _fail(breaker, 5)
    clock.now += 61
    breaker.begin("m")
    breaker.undecided("m")
    assert breaker.admits("m")


def test_an_answer_that_was_on_its_way_when_it_opened_does_not_close_it() -> None:
    breaker = Breaker(Clock())
    breaker.begin("m")
    _fail(breaker, 5)
    breaker.succeeded("m")
    assert not breaker.admits("m")


class Replica:
    """One gateway's breaker and its part in the sharing."""

    def __init__(self, server: FakeServer) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock)
        self.store = SharedStore("dev", FakeAsyncRedis(server=server), CollectorRegistry())
        self.sharing = BreakerSharing(self.breaker, self.store, lambda: None)


@pytest.fixture
async def replicas() -> Any:
    """Three replicas with one Redis."""
    server = FakeServer()
    made = [Replica(server) for _ in range(3)]
    for replica in made:
        await replica.store.open()
    yield made, server
    server.connected = True
    for replica in made:
        await replica.store.close()


@pytest.mark.anyio
async def test_what_one_replica_leaves_alone_the_others_do_too(replicas: Any) -> None:
    (first, second, _), _ = replicas
    _fail(first.breaker, 5)
    await first.sharing.exchange()
    await second.sharing.exchange()
    assert not second.breaker.admits("m")
    second.clock.now += 61
    assert second.breaker.admits("m")


@pytest.mark.anyio
async def test_failures_of_all_replicas_count_together(replicas: Any) -> None:
    made, _ = replicas
    for replica in made:
        _fail(replica.breaker, 2)
        await replica.sharing.exchange()
    await made[0].sharing.exchange()
    assert not made[0].breaker.admits("m")
    assert not made[2].breaker.admits("m")


@pytest.mark.anyio
async def test_a_success_in_between_ends_the_row(replicas: Any) -> None:
    (first, second, _), _ = replicas
    _fail(first.breaker, 4)
    await first.sharing.exchange()
    first.breaker.succeeded("m")
    await first.sharing.exchange()
    _fail(second.breaker, 4)
    await second.sharing.exchange()
    assert second.breaker.admits("m")


@pytest.mark.anyio
async def test_a_trial_that_succeeds_opens_the_way_for_all(replicas: Any) -> None:
    (first, second, _), _ = replicas
    _fail(first.breaker, 5)
    await first.sharing.exchange()
    await second.sharing.exchange()
    first.clock.now += 61
    first.breaker.begin("m")
    first.breaker.succeeded("m")
    await first.sharing.exchange()
    await second.sharing.exchange()
    assert second.breaker.admits("m")


@pytest.mark.anyio
async def test_without_the_store_each_works_by_itself_and_tells_later(replicas: Any) -> None:
    (first, second, _), server = replicas
    server.connected = False
    _fail(first.breaker, 5)
    await first.sharing.exchange()
    assert not first.breaker.admits("m")
    assert second.breaker.admits("m")
    server.connected = True
    for replica in (first, second):
        await replica.store._probe(replica.store._redis)
    await first.sharing.exchange()
    await second.sharing.exchange()
    assert not first.breaker.admits("m")
    assert not second.breaker.admits("m")
