"""The load of the live tests counts what fails, and calls on while nothing is answered."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from tests.live.load import Load

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_FAST = {"latency_ms": 0, "latency_jitter_ms": 0, "chunk_delay_ms": 0}


async def _load(stub: aiohttp.ClientSession, **dials: Any) -> Load:
    """Load a stub with these dials for most of a second."""
    async with stub.put("/control/default", json={**_FAST, **dials}) as response:
        assert response.status == 200
    return await asyncio.to_thread(_load_for_a_moment, str(stub._base_url))


def _load_for_a_moment(url: str) -> Load:
    with Load(url, ("qa", "legal"), key="made-key") as load:
        time.sleep(0.7)
    return load


async def test_whole_answers_are_no_failures_plain_and_streamed(stub: aiohttp.ClientSession) -> None:
    load = await _load(stub)

    assert load.failed == []
    assert len(load.calls) > 20
    assert {call.streams for call in load.calls} == {True, False}
    assert {call.agent for call in load.calls} == {"qa", "legal"}


@pytest.mark.parametrize(
    ("dials", "streamed", "plain"),
    [
        ({"error_rate": 1, "error_status": 429}, "told to fail", "told to fail"),
        ({"garbage": True}, "cannot be read", "cannot be read"),
        ({"cut_after": 3}, "ClientPayloadError", "ClientPayloadError"),
    ],
)
async def test_every_answer_that_is_not_whole_is_a_failure_and_says_which(
    stub: aiohttp.ClientSession, dials: dict[str, Any], streamed: str, plain: str
) -> None:
    load = await _load(stub, **dials)

    assert load.failed == load.calls
    for call in load.calls:
        assert (streamed if call.streams else plain) in call.fault


async def test_calls_are_made_on_time_while_none_is_answered(stub: aiohttp.ClientSession) -> None:
    load = await _load(stub, latency_ms=1500)

    starts = [call.began for call in load.calls]
    assert len(starts) > 20
    assert starts[-1] - starts[0] < 1.2
    assert load.worst_ms > 1400


async def test_nobody_there_is_a_failure_of_each_call_and_those_who_ask_again_ask_again() -> None:
    def load_nobody() -> Load:
        with Load("http://127.0.0.1:9", ("qa",), tries=2) as load:
            time.sleep(0.3)
        return load

    load = await asyncio.to_thread(load_nobody)

    assert load.failed == load.calls
    assert {call.tries for call in load.calls} == {2}
