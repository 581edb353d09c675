from __future__ import annotations

import json
from typing import Any

import pytest
from fakeredis import FakeServer

from sluice.gateway.cached_answer import ANSWER_LIMIT_BYTES, completion_of, replayed
from sluice.gateway.chat_request import parse_chat_request
from sluice.gateway.configuration import Model, Provider
from sluice.gateway.usage import Usage

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream")
ASK = {"model": "qa", "user": "anna", "messages": [{"role": "user", "content": "Which port does Redis use?"}]}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
SAID = "Redis uses port 6379."


def whole(text: str | None = SAID, reason: str = "stop", **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": reason}
    return json.dumps({"id": "made-1", "created": 1763700000, "choices": [choice], "usage": USAGE}).encode()


def stream(text: str = SAID, reason: str = "stop", **delta: Any) -> bytes:
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece, **delta}, None) for piece in text.split("|")]
    events: list[dict[str, Any]] = [
        {"id": "made-1", "choices": [{"index": 0, "delta": one, "finish_reason": end}]}
        for one, end in [*deltas, ({}, reason)]
    ]
    events.append({"id": "made-1", "choices": [], "usage": USAGE})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def text_of(body: str, *, streams: bool) -> str:
    if not streams:
        return str(json.loads(body)["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


@pytest.fixture
def caching(mounted: Any, start: Any, connect_redis: Any) -> Any:
    """Start a replica that keeps answers; keywords are the agents' fields."""

    async def go(api: str, **agent: Any) -> Any:
        return await start(api, connect_redis(), configured={"cache": {"keep": 3600}, **agent})

    return go


async def ask(running: Any, question: Any = None, headers: Any = None, **fields: Any) -> tuple[str | None, str]:
    """Return what the answer says of the cache, and the answer."""
    async with running.post({**(question or ASK), **fields}, **(headers or {})) as response:
        assert response.status == 200, await response.text()
        return response.headers.get("x-sluice-cache"), await response.text()


async def kept(running: Any, eventually: Any) -> int:
    """Return how many answers are kept when all work is done."""
    await eventually(lambda: running.metric("sluice_requests_in_flight") == 0 and not running.gateway.off_path.busy)
    return len(await running.gateway.store.run(lambda redis: redis.keys("*:cache:*")))


@pytest.mark.parametrize("then_streams", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_question_asked_again_is_answered_by_any_replica_as_the_caller_wants_it(
    caching: Any, stub: str, eventually: Any, streams: bool, then_streams: bool
) -> None:
    one, other = await caching(stub), await caching(stub)
    result, first = await ask(one, stream=streams)
    assert result == "miss"
    assert await kept(one, eventually) == 1
    async with one.client.delete(f"{stub}/control/requests"):
        pass
    result, again = await ask(other, stream=then_streams)
    assert result == "hit"
    assert text_of(again, streams=then_streams) == text_of(first, streams=streams) != ""
    async with one.client.get(f"{stub}/control/requests") as asked:
        assert "gpt-4o" not in await asked.text()
    assert other.metric("sluice_cache_total", agent="qa", result="hit") == 1
    assert one.metric("sluice_cache_total", agent="qa", result="miss") == 1


async def test_a_hit_says_who_answered_and_costs_nothing(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api)
    await ask(running)
    assert await kept(running, eventually) == 1
    for _ in range(3):
        async with running.post(ASK) as response:
            assert response.headers["x-sluice-cache"] == "hit"
            assert response.headers["x-sluice-model"] == "gpt-4o"
            assert response.headers["x-sluice-arm"] == "baseline"
            assert response.headers["content-type"] == "application/json"
            assert await response.json() == json.loads(whole())
    baseline = {"agent": "qa", "arm": "baseline"}
    await eventually(lambda: running.metric("sluice_requests_total", **baseline, outcome="ok") == 4)
    assert running.metric("sluice_tokens_total", **baseline, direction="output") == 7
    assert running.metric("sluice_cost_dollars_total", **baseline) == pytest.approx((11 * 0.0025 + 7 * 0.01) / 1000)
    assert await kept(running, eventually) == 1
    assert running.metric("sluice_quality_score_count", **baseline, dimension="overall") == 1
    assert len(recording.bodies) == 1


async def test_a_hit_takes_nothing_of_the_providers_rate(
    caching: Any, mounted: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    mounted.change = lambda document: document["providers"]["openai"].update(requests_per_second=1)
    running = await caching(api)
    await ask(running)
    assert await kept(running, eventually) == 1
    assert [(await ask(running))[0] for _ in range(5)] == ["hit"] * 5
    assert running.metric("sluice_limited_total", agent="qa", limit="provider_rate") == 0


async def test_a_kept_answer_is_given_while_its_model_is_left_alone(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api, breaker={"failures": 1, "open": 60})
    await ask(running)
    assert await kept(running, eventually) == 1
    recording.respond = answer_with(503, b"{}", JSON)
    async with running.post({**ASK, "user": "bert"}) as response:
        assert response.status == 503
    assert running.gateway.breaker.is_open("gpt-4o")
    assert (await ask(running))[0] == "hit"
    assert running.gateway.breaker.is_open("gpt-4o")


async def test_a_stream_from_the_cache_says_its_usage_to_who_asked_for_it(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, stream("Redis| uses port 6379."), EVENTS)
    running = await caching(api)
    await ask(running, stream=True)
    assert await kept(running, eventually) == 1
    result, silent = await ask(running, stream=True)
    assert (result, "usage" in silent) == ("hit", False)
    assert silent.endswith("data: [DONE]\n\n")
    _, told = await ask(running, stream=True, stream_options={"include_usage": True})
    events = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: {")]
    assert [event["usage"] for event in events] == [None, None, None, USAGE]
    assert {(event["id"], event["object"]) for event in events} == {("made-1", "chat.completion.chunk")}
    _, body = await ask(running)
    assert json.loads(body)["usage"] == USAGE


async def test_nobody_gets_the_answer_to_another_user(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api)
    for user in ("anna", "bert", None):
        result, _ = await ask(running, user=user, headers={"authorization": "Bearer made-key"})
        assert result == ("miss" if user else None)
        await kept(running, eventually)
    assert len(recording.bodies) == 3
    assert running.metric("sluice_cache_total", agent="qa", result="skipped") == 1


async def test_where_the_registry_says_so_users_share_answers(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api, cache={"keep": 60, "across_users": True})
    results = []
    for user in ("anna", "bert", None):
        results.append((await ask(running, user=user))[0])
        await kept(running, eventually)
    assert results == ["miss", "hit", "hit"]
    async with running.post({**ASK, "model": "legal"}) as response:
        assert response.headers["x-sluice-cache"] == "miss"  # another agent is another question


async def test_what_is_kept_has_an_end_and_no_name_of_anybody(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api, cache={"keep": 90})
    await ask(running)
    assert await kept(running, eventually) == 1
    store = running.gateway.store
    (key,) = await store.run(lambda redis: redis.keys("*:cache:*"))
    assert 80 < await store.run(lambda redis: redis.ttl(key)) <= 90
    assert key.startswith(b"sluice:dev:cache:")
    assert len(key) == len("sluice:dev:cache:") + 64


@pytest.mark.parametrize("streams", [False, True])
async def test_a_kept_answer_carries_the_agents_notice_once(
    caching: Any, stub: str, eventually: Any, streams: bool
) -> None:
    notice = "AI-generated, requires legal review"
    running = await caching(stub, watermark=notice)
    for wanted in ("miss", "hit"):
        for then_streams in (streams, not streams)[: 1 if wanted == "miss" else 2]:
            async with running.post({**ASK, "stream": then_streams}) as response:
                assert response.headers["x-sluice-cache"] == wanted
                assert response.headers["x-sluice-notice"] == notice
                text = text_of(await response.text(), streams=then_streams)
            assert text.count(notice) == 1
            assert text.endswith(f"\n\n{notice}")
        assert await kept(running, eventually) == 1


async def test_a_judge_is_asked_about_an_answer_once_however_often_it_is_given(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    judge = {"model": "gpt-4o", "share": 1.0, "budget_per_day": 1.0}
    running = await caching(api, scoring={"judge": judge}, hand_over_below=0.5)  # which has every answer looked at
    for wanted in ("miss", "hit", "hit"):
        assert (await ask(running))[0] == wanted
        assert await kept(running, eventually) == 1
        assert len(recording.bodies) == 2  # the caller's question and the judge's


async def test_an_agent_that_keeps_nothing_is_asked_each_time(start: Any, provider: Any, connect_redis: Any) -> None:
    recording, api = provider
    running = await start(api, connect_redis(), configured={"cache": {"keep": 0}})
    assert [(await ask(running))[0] for _ in range(2)] == [None, None]
    assert len(recording.bodies) == 2
    assert (
        running.gateway.metrics.registry.get_sample_value("sluice_cache_total", {"agent": "qa", "result": "miss"})
        is None
    )


async def test_a_lost_redis_costs_the_kept_answers_and_no_others(
    caching: Any, provider: Any, answer_with: Any, eventually: Any, redis_server: FakeServer
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api)
    await ask(running)
    assert await kept(running, eventually) == 1
    redis_server.connected = False
    assert [(await ask(running))[0] for _ in range(3)] == ["miss"] * 3
    redis_server.connected = True
    await eventually(lambda: running.gateway.store.up)
    assert (await ask(running))[0] == "hit"
    assert len(recording.bodies) == 4


async def test_what_is_kept_and_cannot_be_read_is_asked_anew(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(), JSON)
    running = await caching(api)
    await ask(running)
    assert await kept(running, eventually) == 1
    store = running.gateway.store
    (key,) = await store.run(lambda redis: redis.keys("*:cache:*"))
    for broken in (b"", b"\xff", b"[]", b'{"choices":[]}', whole(reason="length")):
        await store.run(lambda redis, value=broken: redis.set(key, value, ex=9))
        assert await ask(running) == ("miss", whole().decode())
        await kept(running, eventually)
    assert (await ask(running))[0] == "hit"


async def test_an_answer_of_the_fall_back_is_not_kept(
    caching: Any, stub: str, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, candidates_api = provider
    recording.respond = answer_with(500, b"{}", JSON)
    running = await caching(stub, candidates_api=candidates_api)
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.post(ASK) as response:
        assert response.headers["x-sluice-outcome"] == "fallback"
        assert response.headers["x-sluice-cache"] == "miss"
    assert await kept(running, eventually) == 0


@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_is_not_kept(
    caching: Any, provider: Any, answer_with: Any, eventually: Any, status: int
) -> None:
    recording, api = provider
    recording.respond = answer_with(status, whole(), JSON)
    running = await caching(api)
    async with running.post(ASK) as response:
        assert response.status == status
    assert await kept(running, eventually) == 0


async def test_a_stream_that_breaks_is_not_kept(caching: Any, provider: Any, answer_with: Any, eventually: Any) -> None:
    recording, api = provider
    recording.respond = answer_with(
        200, stream().partition(b'data: {"id": "made-1", "choices": [{"index": 0, "delta": {}')[0], EVENTS
    )
    running = await caching(api)
    async with running.post({**ASK, "stream": True}) as response:
        assert "provider" in await response.text()
    assert await kept(running, eventually) == 0


async def test_an_answer_that_waits_for_a_person_is_not_given_again(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole("It depends."), JSON)
    running = await caching(api, hand_over_below=7)
    for _ in range(2):
        async with running.post(ASK) as response:
            assert response.headers["x-sluice-hand-over"] == "true"
            assert response.headers["x-sluice-cache"] == "miss"
        assert await kept(running, eventually) == 0


@pytest.mark.parametrize(
    ("text", "streamed"),
    [
        (whole(reason="length"), False),
        (whole(reason="content_filter"), False),
        (whole(None, tool_calls=[{"id": "1"}]), False),
        (whole(None, refusal="I cannot."), False),
        (whole(""), False),
        (whole("x", reasoning_content="because"), False),
        (whole("Write to noor@example.com."), False),
        (whole("Call +49 30 1234567."), False),
        (b"<html>", False),
        (b'{"choices":[{},{}]}', False),
        (stream(reason="length"), True),
        (stream("x", tool_calls=[{"index": 0}]), True),
        (stream("x", reasoning_content="because"), True),
        (stream("noor@|example.com"), True),
        (stream().replace(b'"index": 0', b'"index": 1'), True),
        (stream().replace(b'"finish_reason": "stop"', b'"finish_reason": null'), True),
        (stream() + b'data: {"error":{"message":"overloaded"}}\n\n', True),
        (b"data: <html>\n\n", True),
    ],
)
def test_what_is_more_or_less_than_a_whole_text_or_holds_personal_data_is_not_kept(text: bytes, streamed: bool) -> None:
    assert completion_of(whole(), None, streamed=False) is not None
    assert completion_of(stream(), None, streamed=True) is not None
    assert completion_of(text, None, streamed=streamed) is None


async def test_an_answer_that_is_too_large_is_given_and_not_kept(
    caching: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    running = await caching(api)
    for body, kind, streams in (
        (whole("x " * (ANSWER_LIMIT_BYTES // 2)), JSON, False),
        (stream("x|" * (ANSWER_LIMIT_BYTES // 60)), EVENTS, True),
    ):
        recording.respond = answer_with(200, body, kind)
        _, text = await ask(running, stream=streams)
        assert len(text) > ANSWER_LIMIT_BYTES
        assert await kept(running, eventually) == 0


def test_tokens_that_were_only_estimated_are_not_given_as_counted() -> None:
    completion = completion_of(stream(), Usage(1, 2, estimated=True), streamed=True)
    assert completion is not None
    chat = parse_chat_request(json.dumps({**ASK, "stream": True, "stream_options": {"include_usage": True}}).encode())
    answer = replayed(completion, Model("m", "m", Provider("p", "http://127.0.0.1:9", "k"), 0, 0), chat)
    assert answer is not None
    assert b'"prompt_tokens"' not in answer._events
