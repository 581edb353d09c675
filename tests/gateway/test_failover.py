"""The candidate's provider fails in every way there is, and its users do not notice."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Send

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "Write unit tests for parse_date"}]}
JSON_TYPE = (b"content-type", b"application/json")
EVENTS = [(b"content-type", b"text/event-stream")]
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'


# What comes for an answer: a status, a body, the body's kind, and what happens then.
FAULTS: dict[str, tuple[int, bytes, tuple[bytes, bytes], str]] = {
    "silence": (0, b"", JSON_TYPE, "hangs"),
    "silence in a stream": (200, ROLE, EVENTS[0], "hangs"),
    "garbage": (200, b"<html>busy</html>", JSON_TYPE, "ends"),
    "no choices": (200, b'{"choices":[]}', JSON_TYPE, "ends"),
    "half an answer": (200, b'{"choices"', JSON_TYPE, "is cut"),
    "cut before the first token": (200, ROLE, EVENTS[0], "is cut"),
    "ended before the first token": (200, ROLE + b"data: [DONE]\n\n", EVENTS[0], "ends"),
    "an error for a first event": (200, b'data: {"error":{"message":"overloaded"}}\n\n', EVENTS[0], "ends"),
    "garbage events": (200, b"data: <html>\n\n", EVENTS[0], "ends"),
    **{
        str(status): (status, b'{"error":{"message":"the candidate\'s"}}', JSON_TYPE, "ends")
        for status in (301, 400, 401, 402, 403, 404, 408, 410, 413, 422, 429, 500, 503, 529)
    },
}
REFUSALS = {"400", "413", "422"}


def _fault(how: str) -> Any:
    status, body, kind, then = FAULTS[how]

    async def respond(_request: Request, send: Send) -> None:
        if status:
            await send({"type": "http.response.start", "status": status, "headers": [kind]})
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if then == "hangs":
            await asyncio.sleep(20)
        if then == "ends":
            await send({"type": "http.response.body", "body": b""})

    return respond


async def _broken(start: Any, stub: str, candidates_api: str, **agent: Any) -> Any:
    running = await start(stub, configured={"candidates_api": candidates_api, **agent})
    running.mounted.write_flags(qa=100)
    running.refresh()
    return running


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", FAULTS)
async def test_whatever_the_candidate_does_the_baseline_answers(
    start: Any, stub: str, provider: Any, eventually: Any, how: str, stream: bool
) -> None:
    recording, candidates_api = provider
    recording.respond = _fault(how)
    hangs = FAULTS[how][3] == "hangs"
    running = await _broken(start, stub, candidates_api, deadline=2 if hangs else 60)
    times = 1 if hangs else 3
    for _ in range(times):
        async with running.post({**ASK, "stream": stream}) as response:
            text = await response.text()
            assert response.status == 200, text
            sent = response.headers
        assert "gpt-4o)" in text
        assert text.endswith("data: [DONE]\n\n") or not stream
        assert (sent["x-sluice-arm"], sent["x-sluice-model"]) == ("candidate", "gpt-4o")
        assert sent["x-sluice-outcome"] == "fallback"
    assert len(recording.bodies) == times
    served = {"agent": "qa", "arm": "candidate"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="fallback") == times)
    assert running.metric("sluice_requests_total", **served, outcome="error") == 0
    failures = 0 if how in REFUSALS else times
    assert running.metric("sluice_model_failures_total", model="qa-20251031") == failures


async def test_a_refused_connection_is_made_good_and_the_baselines_price_counts(
    start: Any, stub: str, closed_port: int, eventually: Any
) -> None:
    running = await _broken(start, stub, f"http://127.0.0.1:{closed_port}")
    tokens = {"latency_ms": 0, "latency_jitter_ms": 0, "input_tokens": 1000, "output_tokens": 1000}
    async with running.client.put(f"{stub}/control/default", json=tokens):
        pass
    async with running.post(ASK) as response:
        assert response.status == 200
    served = {"agent": "qa", "arm": "candidate"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="fallback") == 1)
    assert running.metric("sluice_cost_dollars_total", **served) == pytest.approx(0.0025 + 0.01)


@pytest.mark.parametrize("how", ["silence", "silence in a stream"])
async def test_a_silent_candidate_leaves_the_baseline_half_of_the_deadline(
    start: Any, stub: str, provider: Any, how: str
) -> None:
    recording, candidates_api = provider
    recording.respond = _fault(how)
    running = await _broken(start, stub, candidates_api, deadline=4)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running.post({**ASK, "stream": how != "silence"}) as response:
        assert response.status == 200  # all of the deadline gone, it would be 504
    assert loop.time() - began >= 2


async def test_the_deadline_holds_where_every_model_is_silent(start: Any, provider: Any) -> None:
    recording, api = provider
    recording.respond = _fault("silence")
    running = await start(api, configured={"deadline": 0.4})
    running.mounted.write_flags(qa=100)
    running.refresh()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running.post(ASK) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (504, "provider_timeout")
    assert 0.4 <= loop.time() - began < 10  # the silence lasts 20
    assert len(recording.bodies) == 2


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_both_refuse_is_the_callers_to_mend(
    start: Any, provider: Any, answer_with: Any, eventually: Any, status: int
) -> None:
    recording, api = provider
    recording.respond = answer_with(status, b'{"error":{"message":"no"}}', JSON_TYPE)
    running = await start(api)
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.post(ASK) as response:
        assert response.status == status
        assert await response.read() == b'{"error":{"message":"no"}}'
    assert len(recording.bodies) == 2
    rejected = {"agent": "qa", "arm": "candidate", "outcome": "rejected"}
    await eventually(lambda: running.metric("sluice_requests_total", **rejected) == 1)


async def test_a_baselines_no_is_not_asked_of_the_next(start: Any, provider: Any, answer_with: Any) -> None:
    recording, api = provider
    recording.respond = answer_with(400, b"{}", JSON_TYPE)
    running = await start(api)
    running.mounted.write_baseline("gpt-4o", "qa-20251031")
    running.refresh()
    async with running.post(ASK) as response:
        assert response.status == 400
    assert [json.loads(body)["model"] for body in recording.bodies] == ["gpt-4o"]


async def test_a_kept_connection_that_the_provider_was_closing_costs_no_failure(start: Any) -> None:
    connections = 0

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request a connection, and hang up on the second without a byte."""
        nonlocal connections
        connections += 1
        body = b'{"choices":[{"message":{"content":"ok"}}]}'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        for turn in range(2):
            if not await reader.read(100_000):
                break
            if turn == 0:
                writer.write(head + body)
        writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with server:
        running = await start(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(4):
            async with running.post(ASK) as response:
                assert response.status == 200
        assert running.metric("sluice_model_failures_total", model="gpt-4o") == 0
    assert connections >= 3


async def test_after_five_failures_the_candidate_is_left_alone_and_tried_again_later(
    start: Any, stub: str, provider: Any, answer_with: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, candidates_api = provider
    recording.respond = answer_with(503, b"{}", JSON_TYPE)
    running = await _broken(start, stub, candidates_api, breaker={"failures": 5, "open": 60})
    later = 0.0
    monkeypatch.setattr(running.gateway.breaker, "_clock", lambda: time.monotonic() + later)

    async def ask() -> str:
        async with running.post(ASK) as response:
            assert response.status == 200
            return str(response.headers["x-sluice-model"])

    assert [await ask() for _ in range(8)] == ["gpt-4o"] * 8
    assert len(recording.bodies) == 5
    await eventually(lambda: running.metric("sluice_breaker_open", agent="qa") == 1)
    later += 60
    assert await asyncio.gather(*(ask() for _ in range(10))) == ["gpt-4o"] * 10
    assert len(recording.bodies) == 6  # one tried it, and failed
    recording.respond = None
    later += 60
    assert await ask() == "qa-20251031"
    assert await ask() == "qa-20251031"
    await eventually(lambda: running.metric("sluice_breaker_open", agent="qa") == 0)


async def test_streams_that_break_open_the_breaker_too(start: Any, stub: str, provider: Any) -> None:
    recording, candidates_api = provider

    async def respond(_request: Request, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        half = b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n'
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(0.02)

    recording.respond = respond
    running = await _broken(start, stub, candidates_api)
    for _ in range(5):
        async with running.post({**ASK, "stream": True}) as response:
            assert b'"error"' in await response.read()
    async with running.post({**ASK, "stream": True}) as response:
        assert response.headers["x-sluice-model"] == "gpt-4o"
        assert b'"error"' not in await response.read()


async def test_a_candidate_whose_provider_takes_no_more_now_has_not_failed(start: Any, mounted: Any, stub: str) -> None:
    mounted.change = lambda document: document["providers"]["mistral"].update(requests_per_second=1)
    running = await _broken(start, stub, stub)
    served = []
    for _ in range(4):
        async with running.post(ASK) as response:
            assert response.status == 200
            served.append(response.headers["x-sluice-model"])
    assert served[0] == "qa-20251031"
    assert "gpt-4o" in served
    assert running.metric("sluice_model_failures_total", model="qa-20251031") == 0
