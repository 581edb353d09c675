"""The same behaviour over every dialect: what callers send and get is OpenAI's, whoever answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

BEHIND = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4"}
ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "Write unit tests for parse_date"}]}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks up.", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(params=sorted(BEHIND))
def dialect(request: Any) -> str:
    """Each dialect in turn."""
    return str(request.param)


@pytest.fixture
async def behind(start: Any, stub: str, dialect: str) -> Any:
    """A gateway with one model of the dialect behind every agent."""
    running = await start(stub)
    running.mounted.write_baseline(BEHIND[dialect])
    running.refresh()
    dials = {"latency_ms": 0, "latency_jitter_ms": 0, "chunk_delay_ms": 0, "input_tokens": 1000, "output_tokens": 500}
    async with running.client.put(f"{stub}/control/default", json=dials):
        return running


def _chunks(text: str) -> list[Any]:
    events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


async def test_a_whole_answer_is_a_completion_with_its_usage(behind: Any, dialect: str, eventually: Any) -> None:
    async with behind.post(ASK) as response:
        assert response.status == 200
        assert response.headers["x-sluice-model"] == BEHIND[dialect]
        document = await response.json()
    assert document["object"] == "chat.completion"
    (choice,) = document["choices"]
    assert "(stub: " in choice["message"]["content"]
    assert (choice["message"]["role"], choice["finish_reason"]) == ("assistant", "stop")
    assert document["usage"] == {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    served = {"agent": "qa", "arm": "baseline"}
    await eventually(lambda: behind.metric("sluice_tokens_total", **served, direction="output") == 500)
    assert behind.metric("sluice_tokens_total", **served, direction="input") == 1000


@pytest.mark.parametrize("asks", [True, False])
async def test_a_stream_is_chunks_with_the_usage_that_was_asked_for(behind: Any, eventually: Any, asks: bool) -> None:
    async with behind.post({**ASK, "stream": True, "stream_options": {"include_usage": asks}}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        chunks = _chunks(await response.text())
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    said = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert "(stub: " in "".join(choice["delta"].get("content") or "" for choice in said)
    assert [choice["finish_reason"] for choice in said if choice["finish_reason"]] == ["stop"]
    usages = [chunk["usage"] for chunk in chunks if not chunk["choices"]]
    assert usages == ([{"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}] if asks else [])
    served = {"agent": "qa", "arm": "baseline"}
    await eventually(lambda: behind.metric("sluice_tokens_total", **served, direction="output") == 500)


@pytest.mark.parametrize(("status", "outcome"), [(400, "rejected"), (429, "error"), (529, "error")])
async def test_an_error_has_openais_shape(behind: Any, stub: str, eventually: Any, status: int, outcome: str) -> None:
    dials = {"latency_ms": 0, "latency_jitter_ms": 0, "error_rate": 1, "error_status": status}
    async with behind.client.put(f"{stub}/control/default", json=dials):
        pass
    async with behind.post(ASK) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "told to fail" in error["message"]
    await eventually(lambda: behind.metric("sluice_requests_total", agent="qa", arm="baseline", outcome=outcome) == 1)


async def test_a_model_that_is_gone_is_made_good_by_the_next(behind: Any, stub: str, dialect: str) -> None:
    gone, other = BEHIND[dialect], BEHIND["openai" if dialect == "anthropic" else "anthropic"]
    behind.mounted.write_baseline(gone, other)
    behind.refresh()
    model_id = behind.gateway.configuration.models[gone].id
    async with behind.client.put(f"{stub}/control/models/{model_id}", json={"exists": False}):
        pass
    for stream in (False, True):
        async with behind.post({**ASK, "stream": stream}) as response:
            assert (response.status, response.headers["x-sluice-model"]) == (200, other)
