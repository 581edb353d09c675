from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Send

from sluice.gateway.capture import Capture

pytestmark = pytest.mark.anyio

QUESTION = "How do I reset my password without access to my old e-mail address?"
ASK = {
    "model": "qa",
    "user": "u",
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION}],
}
GOOD = (
    "I am sorry, let us change the address first:\n\n1. Open https://help.example/recover.\n2. Enter your user name "
    "and the new e-mail address.\n3. Within 24 hours you get a link, valid for 30 minutes, to reset the password.\n"
    "4. Then turn on two-step sign-in under `Account > Security`.\n\nKind regards,\nNoor"
)
POOR = "It depends."
JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream")


def whole(text: str | None, **more: Any) -> bytes:
    message = {"role": "assistant", "content": text, **more}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


def stream(text: str) -> bytes:
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def scored(running: Any, agent: str = "qa", arm: str = "baseline") -> float:
    return float(running.metric("sluice_quality_score_count", agent=agent, arm=arm, dimension="overall"))


def mean(running: Any) -> float:
    labels = {"agent": "qa", "arm": "baseline", "dimension": "overall"}
    return float(running.metric("sluice_quality_score_sum", **labels)) / scored(running)


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_is_scored_in_every_dimension_after_it_was_given(
    start: Any, provider: Any, answer_with: Any, eventually: Any, streams: bool
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, stream(GOOD), EVENTS) if streams else answer_with(200, whole(GOOD), JSON)
    running = await start(api)
    async with running.post({**ASK, "stream": streams}) as response:
        assert await response.read() == (stream(GOOD) if streams else whole(GOOD))
    await eventually(lambda: scored(running) == 1)

    assert mean(running) >= 7
    for dimension in ("overall", "quality", "relevance", "format", "specificity"):
        labels = {"agent": "qa", "arm": "baseline", "dimension": dimension}
        assert running.metric("sluice_quality_score_count", **labels) == 1


async def test_the_arm_that_served_gets_the_score(start: Any, stub: str, eventually: Any) -> None:
    running = await start(stub)
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.post(ASK) as response:
        await response.read()
    await eventually(lambda: scored(running, arm="candidate") == 1)

    assert scored(running) == 0


async def test_errors_tool_calls_and_unsampled_answers_are_not_scored(
    start: Any, provider: Any, answer_with: Any
) -> None:
    recording, api = provider
    running = await start(api)
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    for answer in (answer_with(500, b"{}", JSON), answer_with(200, whole(None, tool_calls=calls), JSON)):
        recording.respond = answer
        async with running.post(ASK) as response:
            await response.read()
    await running.gateway.off_path.close(1)

    assert scored(running) == 0


async def test_a_share_of_nothing_scores_nothing(start: Any, mounted: Any, provider: Any, answer_with: Any) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(GOOD), JSON)
    mounted.agent_fields["qa"] = {"scoring": {"share": 0}}
    running = await start(api)
    async with running.post(ASK) as response:
        await response.read()
    await running.gateway.off_path.close(1)

    assert scored(running) == 0


async def test_a_stream_that_broke_is_not_scored(start: Any, provider: Any, eventually: Any) -> None:
    recording, api = provider

    async def cut(_request: Request, send: Send) -> None:
        headers = [EVENTS, (b"content-length", b"100000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": stream(GOOD)[:400], "more_body": True})
        raise RuntimeError("made to break")

    recording.respond = cut
    running = await start(api)
    async with running.post({**ASK, "stream": True}) as response:
        await response.read()
    served = {"agent": "qa", "arm": "baseline", "outcome": "error"}
    await eventually(lambda: running.metric("sluice_requests_total", **served) == 1)
    await running.gateway.off_path.close(1)

    assert scored(running) == 0


@pytest.mark.parametrize(("text", "said"), [(GOOD, None), (POOR, "true")], ids=["good", "poor"])
async def test_a_poor_answer_is_handed_over_and_its_caller_is_told(
    start: Any, mounted: Any, provider: Any, answer_with: Any, eventually: Any, text: str, said: str | None
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, whole(text), JSON)
    mounted.agent_fields["qa"] = {"hand_over_below": 7, "tone": "empathetic", "scoring": {"expects": "steps"}}
    running = await start(api)
    async with running.post(ASK) as response:
        assert response.headers.get("x-sluice-hand-over") == said
        assert await response.read() == whole(text)
    await eventually(lambda: scored(running) == 1 and not running.gateway.off_path.busy)

    assert running.metric("sluice_hand_over_total", agent="qa") == (1 if said else 0)


async def test_a_poor_stream_is_handed_over_after_its_end_though_it_was_not_sampled(
    start: Any, mounted: Any, provider: Any, answer_with: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(200, stream(POOR), EVENTS)
    mounted.agent_fields["qa"] = {"hand_over_below": 7, "scoring": {"share": 0}}
    running = await start(api)
    async with running.post({**ASK, "stream": True}) as response:
        assert "x-sluice-hand-over" not in response.headers
        await response.read()
    await eventually(lambda: running.metric("sluice_hand_over_total", agent="qa") == 1)

    assert scored(running) == 0


async def test_no_more_than_64_kib_of_an_answer_are_kept(start: Any) -> None:
    from sluice.gateway.heard import TEXT_CHARACTERS, Heard

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    heard = Heard(send)
    heard.listen()
    await heard({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
    body = stream("word " * 40_000)
    for at in range(0, len(body), 1000):
        await heard({"type": "http.response.body", "body": body[at : at + 1000], "more_body": True})
    await heard({"type": "http.response.body", "body": b""})

    assert len(heard.text) == TEXT_CHARACTERS
    assert b"".join(message.get("body", b"") for message in sent) == body
    assert heard.ended


async def test_what_failed_is_still_there_after_the_rollback_and_its_end(
    start: Any, provider: Any, answer_with: Any, connect_redis: Any, eventually: Any
) -> None:
    recording, api = provider
    recording.respond = answer_with(500, b"{}", JSON)
    running = await start(api, connect_redis())
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.post(ASK) as response:
        assert response.status == 500
    await eventually(lambda: not running.gateway.off_path.busy)

    for allowed in (0, 100):
        running.mounted.write_override(qa=str(allowed))
        running.refresh()
        assert running.metric("sluice_rollout_weight", agent="qa", kind="served") == allowed
        (kept,) = await Capture(running.gateway.store).failed("qa")
        assert (kept.arm, kept.outcome) == ("candidate", "error")
