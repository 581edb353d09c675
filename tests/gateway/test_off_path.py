from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from sluice.gateway.gathered import MOST_TOGETHER
from sluice.gateway.off_path import OffPath

pytestmark = pytest.mark.anyio


def dropped(registry: CollectorRegistry, kind: str) -> float:
    return registry.get_sample_value("sluice_off_path_dropped_total", {"kind": kind}) or 0.0


async def nothing() -> None:
    pass


async def test_what_waits_is_done_before_the_end() -> None:
    done: list[int] = []
    off_path = OffPath(CollectorRegistry())
    off_path.open()

    def work(number: int) -> None:
        async def later() -> None:
            await asyncio.sleep(0.001)
            done.append(number)

        assert off_path.add("score", 10, later)

    for number in range(50):
        work(number)
    await off_path.close(5)

    assert sorted(done) == list(range(50))


async def test_a_full_queue_drops_and_counts_and_keeps_room_for_what_is_important() -> None:
    registry = CollectorRegistry()
    off_path = OffPath(registry, most_things=20)  # 10 of them for what is kept

    assert sum(off_path.add("cache", 1, nothing) for _ in range(20)) == 8
    assert sum(off_path.add("review", 1, nothing, important=True) for _ in range(20)) == 2
    assert dropped(registry, "cache") == 12
    assert dropped(registry, "review") == 18
    assert registry.get_sample_value("sluice_off_path_waiting") == 10


async def test_a_queue_is_full_by_bytes_too() -> None:
    registry = CollectorRegistry()
    off_path = OffPath(registry, most_bytes=1000)

    assert off_path.add("score", 170, nothing)
    assert not off_path.add("score", 170, nothing)
    assert dropped(registry, "score") == 1


async def test_what_needs_the_store_is_begun_together_and_scores_two_at_a_time() -> None:
    off_path = OffPath(CollectorRegistry())
    off_path.open()
    begun: dict[str, int] = {"users": 0, "score": 0}
    go_on = asyncio.Event()

    def work(kind: str) -> None:
        async def waits() -> None:
            begun[kind] += 1
            await go_on.wait()

        off_path.add(kind, 1, waits)

    for kind in begun:
        for _ in range(40):
            work(kind)
    for _ in range(100):
        await asyncio.sleep(0)

    assert begun == {"users": MOST_TOGETHER, "score": 2}
    go_on.set()
    await off_path.close(5)
    assert begun == {"users": 40, "score": 40}


async def test_work_that_fails_is_counted_and_stops_nothing() -> None:
    registry = CollectorRegistry()
    off_path = OffPath(registry)
    off_path.open()
    after = asyncio.Event()

    async def fails() -> None:
        raise RuntimeError("made to fail")

    async def works() -> None:
        after.set()

    for _ in range(3):
        off_path.add("capture", 1, fails)
    off_path.add("capture", 1, works)
    async with asyncio.timeout(5):
        await after.wait()
    await off_path.close(1)

    assert dropped(registry, "capture") == 3


async def test_an_end_waits_no_longer_than_it_may_and_counts_what_is_undone() -> None:
    registry = CollectorRegistry()
    off_path = OffPath(registry)
    off_path.open()
    for _ in range(5):
        off_path.add("judge", 1, lambda: asyncio.sleep(30))
    async with asyncio.timeout(5):
        await off_path.close(0.05)

    assert dropped(registry, "judge") == 5


async def test_two_things_compute_at_a_time_and_others_have_their_turn_between() -> None:
    off_path = OffPath(CollectorRegistry())
    off_path.open()
    loop_turns, computed_at = 0, []

    async def turns() -> None:
        nonlocal loop_turns
        while True:
            loop_turns += 1
            await asyncio.sleep(0)

    async def work() -> None:
        await off_path.computed(lambda: computed_at.append(loop_turns), on_loop=True)

    others = asyncio.create_task(turns())
    for _ in range(16):
        off_path.add("cache", 1, work)
    await off_path.close(5)
    others.cancel()

    assert len(computed_at) == 16
    assert max(computed_at.count(turn) for turn in computed_at) <= 2
