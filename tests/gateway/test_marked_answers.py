from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

NOTICE = "AI-generated, requires legal review"
QUESTION = {"user": "u", "messages": [{"role": "user", "content": "hello"}]}


async def _ask(running: Any, agent: str, **more: Any) -> tuple[Any, bytes]:
    async with running.post({"model": agent, **QUESTION, **more}) as response:
        return response, await response.read()


@pytest.fixture
async def running(start: Any, mounted: Any, stub: str) -> Any:
    mounted.agent_fields["legal"] = {"watermark": NOTICE}
    return await start(stub)


@pytest.mark.parametrize("weight", [0, 100])
async def test_every_answer_of_the_agent_carries_its_notice_on_either_arm(running: Any, weight: int) -> None:
    running.mounted.write_flags(legal=weight)
    running.refresh()
    response, body = await _ask(running, "legal")
    assert response.status == 200
    assert response.headers["x-sluice-notice"] == NOTICE
    document = json.loads(body)
    assert document["choices"][0]["message"]["content"].endswith(f"\n\n{NOTICE}")
    assert document["usage"]["completion_tokens"] > 0


async def test_a_stream_carries_it_as_its_last_words(running: Any) -> None:
    response, body = await _ask(running, "legal", stream=True)
    assert response.headers["x-sluice-notice"] == NOTICE
    events = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: {")]
    choices = [event["choices"][0] for event in events if event["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices).endswith(f"\n\n{NOTICE}")
    assert choices[-1]["finish_reason"] == "stop"
    assert body.endswith(b"data: [DONE]\n\n")


async def test_another_agents_answer_carries_none(running: Any) -> None:
    response, body = await _ask(running, "qa")
    assert "x-sluice-notice" not in response.headers
    assert NOTICE.encode() not in body


async def test_a_refusal_of_the_gateway_carries_none(running: Any) -> None:
    response, body = await _ask(running, "legal", messages=[])
    assert response.status == 400
    assert "x-sluice-notice" not in response.headers
    assert NOTICE.encode() not in body


async def test_a_stream_that_breaks_carries_it_before_the_error(running: Any, provider: Any, start: Any) -> None:
    recording, api = provider

    async def cut(_request: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"content-length", b"9999")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        piece = b'data: {"choices":[{"index":0,"delta":{"content":"Cla"},"finish_reason":null}]}\n\n'
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        raise ConnectionError

    recording.respond = cut
    broken = await start(api)
    async with broken.post({"model": "legal", **QUESTION, "stream": True}) as response:
        body = await response.read()
    assert body.index(NOTICE.encode()) < body.index(b'"error"')
