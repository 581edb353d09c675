"""What the log of a gateway's process holds of requests, and what it must not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.gateway.process import running

pytestmark = pytest.mark.anyio

PLANTED = ("jane.doe@example.com", "key-of-the-caller", "text-of-a-message", "made-openai-key", "made-mistral-key")


async def test_each_request_is_one_line_and_no_line_holds_what_was_asked_by_whom_or_with_which_key(
    mounted: Any, stub: str
) -> None:
    mounted.write_configuration(stub)
    mounted.write_flags(qa=100)
    bodies: list[str] = []
    for message in ("text-of-a-message", "write to jane.doe@example.com"):
        asked = {"model": "qa", "user": "jane.doe@example.com", "messages": [{"role": "user", "content": message}]}
        bodies += [json.dumps(asked), json.dumps({**asked, "stream": True})]
    bodies += [
        bodies[0].replace('"qa"', '"jane.doe@example.com"'),
        "text-of-a-message",
        '{"messages": "text-of-a-message"',
    ]
    headers = {
        "Authorization": "Bearer key-of-the-caller",
        "X-User-Id": "jane.doe@example.com",
        "traceparent": TRACEPARENT,
    }
    async with running(mounted.path, DRAIN_SECONDS="0") as process, aiohttp.ClientSession() as session:
        for broken in (False, True):
            if broken:
                async with session.put(f"{stub}/control/default", json={"error_rate": 1, "error_status": 500}):
                    pass
            for body in bodies:
                async with session.post(f"{process.url}/v1/chat/completions", data=body, headers=headers) as response:
                    await response.read()
        process.process.terminate()
        async with asyncio.timeout(20):
            output, _ = await process.process.communicate()
    for planted in PLANTED:
        assert planted not in output.decode()
    lines = [json.loads(line) for line in output.decode().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 2 * len(bodies)
    good = requests[0]
    assert (good["agent"], good["arm"], good["model"]) == ("qa", "candidate", "qa-20251031")
    assert (good["outcome"], good["status"], good["trace_id"]) == ("ok", 200, TRACEPARENT.split("-")[1])
    assert good["input_tokens"] > 0
    assert good["cost_dollars"] == pytest.approx((good["input_tokens"] + good["output_tokens"]) * 0.0008 / 1000)
    assert good["milliseconds"] > 0
    assert [line["outcome"] for line in requests[4:7]] == ["rejected"] * 3
    assert requests[4]["agent"] == "unknown"
    assert {line["outcome"] for line in requests[7:11]} == {"error"}


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
