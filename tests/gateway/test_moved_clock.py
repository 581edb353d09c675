"""A machine's clock that is set while the gateway serves: no call fails and no user moves.

Pods share their node's clock, so the process is started with one of its own (`moved_clock.py`), which is moved under
load. Pods whose clocks differ: tests/live/faults.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateway import process
from tests.gateway.moved_clock import DAY, WITH_A_CLOCK_OF_ITS_OWN
from tests.gateway.process import Process, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_USERS = tuple(f"user-{number}" for number in range(20))


@pytest.fixture
async def offset(tmp_path: Path) -> Path:
    """The file that says by how many seconds the clock is off."""
    file = tmp_path / "offset"
    file.write_text("0")
    return file


@asynccontextmanager
async def gateway(
    mounted: Any, stub: str, offset: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Process, aiohttp.ClientSession]]:
    """Start the gateway with the moved clock, and give it with a client."""
    mounted.write_configuration(stub)
    mounted.write_flags(qa=50)
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", WITH_A_CLOCK_OF_ITS_OWN, str(offset)))
    async with (
        running(mounted.path) as started,
        aiohttp.ClientSession() as session,
    ):
        async with session.put(f"{stub}/control/default", json={"latency_ms": 5, "latency_jitter_ms": 0}):
            pass
        yield started, session


async def test_a_clock_set_forth_and_back_fails_no_call_and_moves_no_user(
    mounted: Any, stub: str, offset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(mounted, stub, offset, monkeypatch) as (started, session):
        answers: list[tuple[int, str, str]] = []

        async def call_on() -> None:
            while not done.is_set():
                for user in _USERS:
                    body = {"model": "qa", "user": user, "messages": [{"role": "user", "content": "Hello"}]}
                    async with session.post(f"{started.url}/v1/chat/completions", json=body) as response:
                        await response.read()
                        answers.append((response.status, user, response.headers.get("x-sluice-arm", "")))
                    await asyncio.sleep(0.02)

        done = asyncio.Event()
        callers = [asyncio.create_task(call_on()) for _ in range(3)]
        for seconds in (3600.0, -3600.0, DAY, 40 * DAY, -40 * DAY, -time.time() + 1, 0.0):
            offset.write_text(str(seconds))
            await asyncio.sleep(0.7)  # the gateway looks at files twice a second
        done.set()
        await asyncio.gather(*callers)

        print(f"\na clock that moves: {len(answers)} calls, {sum(status != 200 for status, *_ in answers)} failed")
        assert len(answers) >= 2 * len(_USERS)
        assert {status for status, *_ in answers} == {200}
        arms = {(user, arm) for _, user, arm in answers}
        assert len(arms) == len(_USERS)
        assert {arm for _, arm in arms} == {"candidate", "baseline"}


async def test_the_moved_clock_is_the_one_that_the_gateway_reads(
    mounted: Any, stub: str, offset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset.write_text(str(40 * DAY))
    async with (
        gateway(mounted, stub, offset, monkeypatch) as (started, session),
        session.get(started.metrics_url) as response,
    ):
        lines = (await response.text()).splitlines()

    (loaded,) = [line for line in lines if line.startswith("sluice_flags_loaded_timestamp_seconds ")]
    assert float(loaded.split()[-1]) - time.time() > 39 * DAY
