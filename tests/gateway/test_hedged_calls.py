"""Hedging over real connections: what callers get, and what the providers see of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.types import Send

from tests.gateway.test_tracing import Traced

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "Write unit tests for parse_date"}]}
HEDGED = {"hedge_after": 0.2}
HALF = b'{"object":"chat.completion","choices":[{"index":0,'
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
PIECE = b'data: {"choices":[{"index":0,"delta":{"content":"from afar"}}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@dataclass
class Slow:
    """A provider that says no more than `begins` until it is told to go on, and notes who hangs up."""

    begins: bytes = b""
    then: bytes = b""
    asked: int = 0
    hung_up: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request, send: Send) -> None:
        self.asked += 1
        if self.begins:
            headers = [(b"content-type", b"application/json" if self.begins == HALF else b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self.begins, "more_body": True})
        going_on, leaving = asyncio.ensure_future(self.go_on.wait()), asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait([going_on, leaving], return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.hung_up += 1
            elif self.begins:
                await send({"type": "http.response.body", "body": self.then})
        finally:
            going_on.cancel()
            leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
async def slow(provider: Any) -> AsyncIterator[tuple[Slow, str]]:
    """A slow provider and its address."""
    recording, api = provider
    recording.respond = made = Slow()
    yield made, api
    made.go_on.set()


async def _hedged(start: Any, stub: str, candidates_api: str) -> Any:
    running = await start(stub, configured={"candidates_api": candidates_api, **HEDGED})
    running.mounted.write_flags(qa=100)
    running.refresh()
    return running


@pytest.mark.parametrize(
    ("stream", "begins"),
    [(False, b""), (False, HALF), (True, b""), (True, ROLE)],
    ids=["whole", "half of a whole", "stream", "stream without content"],
)
async def test_where_the_candidate_is_slow_the_baseline_answers_and_the_candidate_is_hung_up_on(
    start: Any, stub: str, slow: tuple[Slow, str], eventually: Any, stream: bool, begins: bytes
) -> None:
    candidate, api = slow
    candidate.begins = begins
    running = await _hedged(start, stub, api)
    async with running.post({**ASK, "stream": stream}) as response:
        text = await response.text()
        sent = response.headers
    assert response.status == 200
    assert "gpt-4o)" in text
    assert (sent["x-sluice-arm"], sent["x-sluice-model"], sent["x-sluice-outcome"]) == (
        "candidate",
        "gpt-4o",
        "fallback",
    )
    await eventually(lambda: candidate.hung_up == 1)
    served = {"agent": "qa", "arm": "candidate"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="fallback") == 1)
    assert running.metric("sluice_hedges_total", **served, result="won") == 1
    assert running.metric("sluice_model_failures_total", model="qa-20251031") == 0


async def test_a_slow_stream_that_begins_first_is_given_to_its_end_and_the_other_is_hung_up_on(
    start: Any, slow: tuple[Slow, str], eventually: Any, serve: Any
) -> None:
    """Both are slow: the candidate begins when the baseline has been asked, and has still to end."""
    candidate, api = slow
    candidate.begins, candidate.then = ROLE, PIECE + END
    baseline = Slow()

    async def other(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        await request.body()
        await baseline(request, send)

    running = await _hedged(start, await serve(other), api)

    async def ask() -> tuple[str, Any]:
        async with running.post({**ASK, "stream": True}) as response:
            return await response.text(), response.headers

    asking = asyncio.create_task(ask())
    await eventually(lambda: baseline.asked == 1)
    candidate.go_on.set()
    text, sent = await asking
    assert "from afar" in text
    assert text.endswith("data: [DONE]\n\n")
    assert sent["x-sluice-model"] == "qa-20251031"
    assert "x-sluice-outcome" not in sent
    await eventually(lambda: baseline.hung_up == 1)
    assert running.metric("sluice_hedges_total", agent="qa", arm="candidate", result="lost") == 1
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="candidate", outcome="ok") == 1)


async def test_a_slow_baseline_is_hedged_by_the_next_and_its_price_counts(
    start: Any, stub: str, eventually: Any
) -> None:
    running = await start(stub, configured=HEDGED)
    running.mounted.write_baseline("gpt-4o", "claude-sonnet-4")
    running.refresh()
    slow = {"latency_ms": 20_000, "latency_jitter_ms": 0}
    tokens = {"latency_ms": 0, "latency_jitter_ms": 0, "input_tokens": 1000, "output_tokens": 2000}
    for model, dials in (("gpt-4o", slow), ("claude-sonnet-4-20250514", tokens)):
        async with running.client.put(f"{stub}/control/models/{model}", json=dials) as put:
            assert put.status == 200
    async with running.post(ASK) as response:
        assert response.headers["x-sluice-model"] == "claude-sonnet-4"
        assert response.headers["x-sluice-arm"] == "baseline"
    served = {"agent": "qa", "arm": "baseline"}
    await eventually(lambda: running.metric("sluice_requests_total", **served, outcome="fallback") == 1)
    assert running.metric("sluice_cost_dollars_total", **served) == pytest.approx(0.0025 + 2 * 0.01)
    assert running.metric("sluice_hedges_total", **served, result="won") == 1


async def test_a_caller_that_hangs_up_hangs_up_on_both(start: Any, slow: tuple[Slow, str], eventually: Any) -> None:
    both, api = slow
    running = await _hedged(start, api, api)
    async with aiohttp.ClientSession() as leaving:
        call = asyncio.create_task(leaving.post(f"{running.url}/v1/chat/completions", json=ASK))
        await eventually(lambda: both.asked == 2)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
    await eventually(lambda: both.hung_up == 2)
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="candidate", outcome="error") == 1)


async def test_each_of_the_two_calls_has_a_span_and_is_counted_the_slow_one_as_cancelled(
    start: Any, stub: str, slow: tuple[Slow, str], eventually: Any
) -> None:
    running = await _hedged(start, stub, slow[1])
    traced = Traced(running)
    async with running.post(ASK) as response:
        assert response.status == 200
    await eventually(lambda: len(traced.spans(SpanKind.CLIENT)) == 2 and traced.spans(SpanKind.SERVER))
    (request,) = traced.spans(SpanKind.SERVER)
    calls = {call.name: call for call in traced.spans(SpanKind.CLIENT)}
    candidate = "ft:open-mistral-7b:5010731d:20251031:ecc3829c"
    assert set(calls) == {f"chat {candidate}", "chat gpt-4o"}
    assert all(
        call.parent and request.context and call.parent.span_id == request.context.span_id for call in calls.values()
    )
    assert (calls[f"chat {candidate}"].attributes or {})["error.type"] == "cancelled"
    counted = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "mistral_ai",
        "gen_ai_request_model": candidate,
        "gen_ai_response_model": candidate,
        "error_type": "cancelled",
    }
    assert running.metric("gen_ai_client_operation_duration_seconds_count", **counted) == 1
