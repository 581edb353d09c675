from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from starlette.requests import Request
from starlette.types import Send

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "Write unit tests for parse_date"}]
ASK = {"model": "qa", "user": "u", "stream": True, "messages": MESSAGES}
PIECE = b'{"choices":[{"index":0,"delta":{"content":"%d"}}]}'
EVENTS = [(b"content-type", b"text/event-stream")]


async def _event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})


async def test_each_piece_passes_before_the_next_is_made(start: Any, provider: Any) -> None:
    recording, api = provider
    seen = [asyncio.Event() for _ in range(3)]

    async def respond(_request: Request, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        for number, event in enumerate(seen):
            await _event(send, PIECE % number)
            await event.wait()  # goes on only when the caller has the piece
        await _event(send, b"[DONE]")
        await send({"type": "http.response.body", "body": b""})

    recording.respond = respond
    running = await start(api)
    async with asyncio.timeout(5), running.post(ASK) as response:
        assert response.headers["content-type"] == "text/event-stream"
        for number, event in enumerate(seen):
            assert await response.content.readuntil(b"\n\n") == b"data: " + PIECE % number + b"\n\n"
            event.set()
        assert await response.read() == b"data: [DONE]\n\n"


async def test_a_stream_is_byte_for_byte_the_providers(start: Any, provider: Any, answer_with: Any) -> None:
    recording, api = provider
    stream = b': ping\r\n\r\nevent: x\ndata: {"a":  1.0}\n\n'
    stream += b'data: {"choices":[{"delta":{"content": "\xf0\x9f\x99\x82"}}]}\n\ndata: [DONE]\n\n'
    recording.respond = answer_with(200, stream, *EVENTS)
    running = await start(api)
    async with running.post(ASK) as response:
        assert await response.read() == stream


async def test_tokens_and_cost_are_counted_from_the_stream(start: Any, stub: str, eventually: Any) -> None:
    running = await start(stub)
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.client.put(
        f"{stub}/control/default", json={"input_tokens": 1000, "output_tokens": 500}
    ) as response:
        assert response.status == 200
    async with running.post({**ASK, "stream_options": {"include_usage": True}}) as response:
        text = await response.text()
    assert text.endswith("data: [DONE]\n\n")
    served = {"agent": "qa", "arm": "candidate"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="ok") == 1)
    assert running.metric("sluice_tokens_total", **served, direction="input") == 1000
    assert running.metric("sluice_tokens_total", **served, direction="output") == 500
    assert running.metric("sluice_cost_dollars_total", **served) == pytest.approx(1.5 * 0.0008)


async def test_usage_is_asked_for_and_the_caller_who_did_not_ask_does_not_see_it(
    start: Any, stub: str, eventually: Any
) -> None:
    running = await start(stub)
    async with running.client.put(f"{stub}/control/default", json={"input_tokens": 1000, "output_tokens": 500}):
        pass
    async with running.post(ASK) as response:
        text = await response.text()
    assert "prompt_tokens" not in text
    assert text.endswith("data: [DONE]\n\n")
    served = {"agent": "qa", "arm": "baseline"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="ok") == 1)
    assert running.metric("sluice_tokens_total", **served, direction="output") == 500
    assert running.metric("sluice_usage_estimated_total", **served) == 0


async def test_a_stream_that_does_not_say_its_usage_is_estimated(
    start: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, b"data: " + PIECE % 1 + b"\n\ndata: [DONE]\n\n", *EVENTS)
    running = await start(api)
    async with running.post(ASK) as response:
        await response.read()
    served = {"agent": "qa", "arm": "baseline"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="ok") == 1)
    assert running.metric("sluice_tokens_total", **served, direction="input") == len(MESSAGES[0]["content"]) // 4
    assert running.metric("sluice_tokens_total", **served, direction="output") == 1
    assert running.metric("sluice_usage_estimated_total", **served) == 1


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (None, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
        ({"include_usage": True}, {"include_usage": True}),
    ],
)
async def test_usage_is_asked_for_beside_what_the_caller_asks(
    start: Any, provider: Any, options: object, sent: object
) -> None:
    recording, api = provider
    running = await start(api)
    async with running.post(ASK if options is None else {**ASK, "stream_options": options}):
        pass
    assert json.loads(recording.bodies[0]) == {**ASK, "model": "gpt-4o", "stream_options": sent}


async def test_a_provider_that_always_says_its_usage_is_sent_no_options(start: Any, provider: Any) -> None:
    recording, api = provider
    running = await start(api, configured={"stream_usage": "always"})
    async with running.post({**ASK, "stream_options": {"include_usage": True}}):
        pass
    assert json.loads(recording.bodies[0]) == {**ASK, "model": "gpt-4o"}


async def _hung_up(session: aiohttp.ClientSession, stub: str) -> int:
    async with session.get(f"{stub}/control/requests") as response:
        return int((await response.json()).get("gpt-4o", {}).get("hung_up", 0))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_that_hangs_up_stops_the_provider(start: Any, stub: str, eventually: Any, stream: bool) -> None:
    running = await start(stub)
    slow = {"latency_ms": 0 if stream else 20_000, "latency_jitter_ms": 0, "chunk_delay_ms": 20_000}
    async with running.client.put(f"{stub}/control/default", json=slow):
        pass
    async with aiohttp.ClientSession() as leaving:
        call = asyncio.create_task(leaving.post(f"{running.url}/v1/chat/completions", json={**ASK, "stream": stream}))
        async with asyncio.timeout(5):
            if stream:
                await (await call).content.readuntil(b"\n\n")
            else:
                while not (await (await running.client.get(f"{stub}/control/requests")).json()):
                    await asyncio.sleep(0.01)
                call.cancel()
    async with asyncio.timeout(5):
        while await _hung_up(running.client, stub) != 1:
            await asyncio.sleep(0.01)
    # Who has seen the beginning had an answer; who has seen nothing gave up waiting.
    outcome = "ok" if stream else "error"
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="baseline", outcome=outcome) == 1)


@pytest.mark.parametrize("how", ["cut", "silence", "end", "error"])
async def test_a_stream_that_breaks_after_its_first_token_ends_with_an_error_event(
    start: Any, provider: Any, eventually: Any, how: str
) -> None:
    recording, api = provider

    async def respond(_request: Request, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        await _event(send, PIECE % 1)
        await asyncio.sleep(0.05)  # the caller has it
        await send({"type": "http.response.body", "body": b'data: {"choices":[', "more_body": True})
        if how == "silence":
            await asyncio.sleep(5)
        if how == "error":
            await send({"type": "http.response.body", "body": b']}\n\ndata: {"error":{}}\n\n', "more_body": True})
        if how == "end":
            await send({"type": "http.response.body", "body": b""})
        # Returning before the end cuts the connection.

    recording.respond = respond
    running = await start(api, silence_timeout_seconds=0.3)
    async with running.post(ASK) as response:
        assert response.status == 200
        events = (await response.read()).decode().split("\n\n")
    assert events[0] == "data: " + (PIECE % 1).decode()
    error = json.loads(events[1].removeprefix("data: "))["error"]
    codes = {"cut": "provider_unreachable", "silence": "provider_timeout"}
    assert error["code"] == codes.get(how, "provider_answer_unusable")
    assert events[2:] == [""]
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="baseline", outcome="error") == 1)
