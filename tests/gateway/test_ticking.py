"""What is done again and again: when it begins, and that it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sluice.gateway.ticking import Ticking

pytestmark = pytest.mark.anyio
PATIENCE_SECONDS = 30.0


class Ticks:
    """Counts, and says when there were three."""

    def __init__(self) -> None:
        self.count = 0
        self.three = asyncio.Event()

    async def __call__(self) -> None:
        self.count += 1
        if self.count == 3:
            self.three.set()


async def test_it_ticks_again_and_again_until_it_is_closed() -> None:
    ticks = Ticks()
    ticking = Ticking(ticks, 0)

    ticking.open()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ticks.three.wait()
    await ticking.close()

    count = ticks.count
    for _ in range(10):
        await asyncio.sleep(0)
    assert ticks.count == count


@pytest.mark.parametrize(("rests_first", "ticked"), [(True, 0), (False, 1)])
async def test_who_did_the_first_tick_can_have_it_rest_first(rests_first: bool, ticked: int) -> None:
    ticks = Ticks()
    ticking = Ticking(ticks, 3600, rests_first=rests_first)

    ticking.open()
    for _ in range(10):
        await asyncio.sleep(0)
    await ticking.close()

    assert ticks.count == ticked


async def test_a_cancellation_that_a_tick_swallows_ends_it_all_the_same() -> None:
    within = asyncio.Event()

    async def swallow() -> None:
        within.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    ticking = Ticking(swallow, 3600)
    ticking.open()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await within.wait()
        await ticking.close()


async def test_one_that_never_began_can_be_closed() -> None:
    await Ticking(Ticks(), 1).close()
