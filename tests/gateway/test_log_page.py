"""docs/logs.md: it lists what is logged, no more and no less, and its way from a caller to the provider is true."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sluice.gateway.metrics import Record
from sluice.gateway.request_line import request_line
from tests.gateway.process import ASK, running

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "logs.md").read_text()
_EVENT = re.compile(r'log\.(?:info|warning|error)\(\s*"([^"]+)"')
_LISTED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_page_lists_every_event_and_no_other() -> None:
    sources = (PROJECT / "sluice" / "gateway").rglob("*.py")
    logged = {event for source in sources for event in _EVENT.findall(source.read_text())}

    rows = re.findall(r"^\| (`[^|]+`) \|", section("Events"), re.MULTILINE)
    listed = [name.strip("`") for row in rows for name in row.split(", ")]
    assert sorted(listed) == sorted(logged)


def test_the_page_lists_every_field_of_a_requests_line_and_no_other() -> None:
    always = {"time", "level", "event", "request_id"}

    assert set(_LISTED.findall(section("The line of a request"))) == always | set(request_line(Record(), 0.0))


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_one_id_leads_from_the_callers_header_through_the_log_to_the_provider_and_back(
    mounted: Any, stub: str, streams: bool
) -> None:
    mounted.write_configuration(stub)
    mounted.write_flags(qa=100)
    given = f"from-the-caller.{'stream' if streams else 'whole'}"
    async with running(mounted.path, DRAIN_SECONDS="0") as process, aiohttp.ClientSession() as session:
        for request_id in ("before", given, "after"):
            async with session.post(
                f"{process.url}/v1/chat/completions",
                json={**ASK, "stream": streams, "user": request_id},
                headers={"X-Request-Id": request_id},
            ) as response:
                await response.read()
                headers = response.headers
            if request_id == given:
                told = headers
                async with session.get(f"{stub}/control/requests") as asked:
                    at_the_provider = await asked.json()
        process.process.terminate()
        async with asyncio.timeout(20):
            output, _ = await process.process.communicate()

    # the answer says the id again, and what the provider called the request
    assert told["x-sluice-request-id"] == given
    # one search of the log finds the line, and the line says who answered
    (line,) = [json.loads(one) for one in output.decode().splitlines() if given in one]
    assert (line["event"], line["request_id"], line["model"]) == ("request", given, "qa-20251031")
    # the provider was sent the same id, and its own is in the line
    models = {model["last_request_id"] for model in at_the_provider.values()}
    assert models == {given}
    assert line["provider_request_id"] == told["x-request-id"]
    assert line["provider_request_id"].startswith("stub-")
