from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

pytestmark = pytest.mark.anyio

Stub = aiohttp.ClientSession
QA = "ft:open-mistral-7b:5010731d:20251031:ecc3829c"
MESSAGES = [{"role": "system", "content": "You test."}, {"role": "user", "content": "Test parse_date(text), please"}]
FAST = {"latency_ms": 0, "latency_jitter_ms": 0, "chunk_delay_ms": 0}


async def _ask(stub: Stub, **fields: Any) -> tuple[int, Any]:
    async with stub.post(
        "/mistral/v1/chat/completions", json={"model": QA, "messages": MESSAGES, **fields}
    ) as response:
        return response.status, await response.json()


async def _dial(stub: Stub, path: str, **dials: Any) -> tuple[int, Any]:
    async with stub.put(f"/control/{path}", json=dials) as response:
        return response.status, await response.json()


async def test_an_answer_is_openais_object_and_says_that_it_is_made(stub: Stub) -> None:
    status, answer = await _ask(stub)
    assert status == 200
    assert (answer["object"], answer["model"]) == ("chat.completion", QA)
    choice = answer["choices"][0]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")
    assert choice["message"]["content"].endswith(f"(stub: {QA})")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 20


@pytest.mark.parametrize("prefix", ["/mistral/v1", "/openai/v1", "/anthropic/v1", "/v1"])
async def test_it_answers_below_each_providers_prefix(stub: Stub, prefix: str) -> None:
    async with stub.post(f"{prefix}/chat/completions", json={"model": "gpt-4o", "messages": MESSAGES}) as response:
        assert response.status == 200
    async with stub.get(f"{prefix}/models") as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["gpt-4o"]


async def _events(stub: Stub, **fields: Any) -> list[Any]:
    body = {"model": QA, "messages": MESSAGES, "stream": True, **fields}
    async with stub.post("/v1/chat/completions", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = (await response.text()).split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


async def test_a_stream_brings_the_same_text_in_pieces(stub: Stub) -> None:
    await _dial(stub, "default", **FAST)
    _, whole = await _ask(stub)
    events = await _events(stub)
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert text == whole["choices"][0]["message"]["content"]
    assert len(events) > 20
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any("usage" in event for event in events)


async def test_a_stream_brings_usage_last_where_it_is_asked_for(stub: Stub) -> None:
    await _dial(stub, "default", **FAST, input_tokens=7, output_tokens=9)
    events = await _events(stub, stream_options={"include_usage": True})
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    assert all(event["usage"] is None for event in events[:-1])


async def test_json_is_given_where_it_is_asked_for(stub: Stub) -> None:
    _, answer = await _ask(stub, response_format={"type": "json_object"})
    assert json.loads(answer["choices"][0]["message"]["content"])["answer"].endswith(f"(stub: {QA})")


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Basic dTpw"])
async def test_without_a_bearer_key_it_is_401(stub: Stub, authorization: str) -> None:
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
        async with stub.request(method, path, headers={"Authorization": authorization}, json={}) as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("{", None),
        ("[]", None),
        ('{"messages":[{}]}', "model"),
        ('{"model":"m"}', "messages"),
        ('{"model":"m","messages":["x"]}', "messages"),
    ],
)
async def test_a_request_that_is_none_is_400_in_openais_shape(stub: Stub, body: str, param: str | None) -> None:
    async with stub.post("/v1/chat/completions", data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"] == param


async def test_a_model_that_it_was_told_does_not_exist_is_404(stub: Stub) -> None:
    await _dial(stub, f"models/{QA}", exists=False)
    status, answer = await _ask(stub)
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    async with stub.get("/v1/models") as response:
        assert (await response.json())["data"] == []


async def test_error_rate_0_and_1_are_exact_and_between_them_errors_repeat(stub: Stub) -> None:
    async def statuses(rate: float) -> list[int]:
        await _dial(stub, f"models/{QA}", **FAST, error_rate=rate, error_status=503)
        return [(await _ask(stub))[0] for _ in range(60)]

    assert set(await statuses(0)) == {200}
    assert set(await statuses(1)) == {503}
    first = await statuses(0.5)
    assert 15 < first.count(503) < 45
    assert await statuses(0.5) == first


async def test_the_dials_of_one_model_leave_others_alone(stub: Stub) -> None:
    await _dial(stub, f"models/{QA}", error_rate=1, error_status=429)
    status, answer = await _ask(stub)
    assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (await _ask(stub, model="gpt-4o"))[0] == 200


async def test_dials_are_shown_and_reset(stub: Stub) -> None:
    _, shown = await _dial(stub, "models/org/model:1", quality=2)
    assert shown["models"]["org/model:1"]["quality"] == 2
    async with stub.delete("/control/models/org/model:1") as response:
        assert (await response.json())["models"] == {}
    await _dial(stub, "default", quality=1)
    await _dial(stub, "models/m", quality=1)
    async with stub.delete("/control/models") as response:
        reset = await response.json()
    assert (reset["models"], reset["default"]["quality"]) == ({}, 8.0)


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"latency": 1}, "latency: is no dial; the dials are latency_ms, "),
        ({"latency_ms": -1}, "latency_ms: must be a number, 0 to 600000"),
        ({"latency_ms": "5"}, "latency_ms: must be a number"),
        ({"error_rate": 1.5}, "error_rate: must be a number, 0 to 1"),
        ({"error_rate": True}, "error_rate: must be a number"),
        ({"error_status": 200}, "error_status: must be a whole number, 400 to 599"),
        ({"quality": 11}, "quality: must be a number, 0 to 10"),
        ({"input_tokens": 1.5}, "input_tokens: must be a whole number, 0 to 1e+06, or null"),
        ({"exists": 1}, "exists: must be true or false"),
        ({"garbage": "yes"}, "garbage: must be true or false"),
        ({"keys": ["a key itself"]}, "keys: must be a list of fingerprints, each 12 of 0-9a-f, or null"),
        ({"cut_after": -1}, "cut_after: must be a whole number, 0 to 1e+06, or null"),
    ],
)
async def test_a_wrong_dial_is_a_clear_400_and_changes_nothing(stub: Stub, dials: dict[str, Any], message: str) -> None:
    for path in ("default", "models/m"):
        status, answer = await _dial(stub, path, **dials)
        assert status == 400
        assert message in answer["error"]
    async with stub.get("/control/models") as response:
        shown = await response.json()
    assert (shown["models"], shown["default"]["latency_ms"]) == ({}, 50.0)


async def test_all_wrong_dials_are_told_at_once(stub: Stub) -> None:
    _, answer = await _dial(stub, "default", quality=11, error_rate=2)
    assert answer["error"] == "error_rate: must be a number, 0 to 1; quality: must be a number, 0 to 10"
    async with stub.put("/control/default", data="{") as response:
        assert response.status == 400


async def test_what_was_asked_is_shown_without_the_key(stub: Stub) -> None:
    await _ask(stub, user="alice")
    await _ask(stub, user="bob")
    async with stub.get("/control/requests") as response:
        text = await response.text()
    asked = json.loads(text)[QA]
    assert (asked["requests"], asked["last_user"], asked["last_key_present"]) == (2, "bob", True)
    assert "made-key" not in text
    async with stub.delete("/control/requests") as response:
        assert await response.json() == {}


async def test_a_key_that_the_provider_does_not_take_is_401_in_both_dialects(stub: Stub) -> None:
    await _ask(stub)
    async with stub.get("/control/requests") as response:
        (asked,) = (await response.json()).values()
    await _dial(stub, "default", **FAST, keys=[asked["last_key_fingerprint"]])
    assert (await _ask(stub))[0] == 200

    await _dial(stub, "default", **FAST, keys=["0" * 12])
    status, answer = await _ask(stub)
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    headers = {"x-api-key": "made-key", "anthropic-version": "2023-06-01"}
    body = {"model": "claude-sonnet-4", "max_tokens": 9, "messages": MESSAGES[1:]}
    async with stub.post("/anthropic/v1/messages", json=body, headers=headers) as response:
        assert (response.status, (await response.json())["error"]["type"]) == (401, "authentication_error")
    async with stub.get("/control/requests") as response:
        assert {model: one["errors"] for model, one in (await response.json()).items()} == {QA: 1, "claude-sonnet-4": 1}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("streams", [False, True])
async def test_garbage_is_a_200_that_no_client_can_read(stub: Stub, path: str, streams: bool) -> None:
    await _dial(stub, "default", **FAST, garbage=True)
    body = {"model": QA, "messages": MESSAGES[1:], "max_tokens": 9, "stream": streams}
    headers = {"x-api-key": "made-key", "anthropic-version": "2023-06-01"}

    async with stub.post(path, json=body, headers=headers) as response:
        assert response.status == 200
        assert response.content_type == ("text/event-stream" if streams else "application/json")
        content = await response.read()

    with pytest.raises(ValueError, match="utf-8"):
        json.loads(content.removeprefix(b"data: "))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(("streams", "pieces"), [(False, 0), (True, 3), (True, 0)])
async def test_a_cut_answer_ends_after_so_many_pieces_or_in_its_middle(
    stub: Stub, path: str, streams: bool, pieces: int
) -> None:
    await _dial(stub, "default", **FAST, cut_after=pieces)
    body = {"model": QA, "messages": MESSAGES[1:], "max_tokens": 9, "stream": streams}
    headers = {"x-api-key": "made-key", "anthropic-version": "2023-06-01"}

    async with stub.post(path, json=body, headers=headers) as response:
        assert response.status == 200
        came = await _until_cut(response)

    if streams:
        deltas = [json.loads(line[6:]) for line in came.decode().splitlines() if line.startswith("data: ")]
        texts = [delta["delta"]["text"] for delta in deltas if delta.get("type") == "content_block_delta"]
        texts += [delta["choices"][0]["delta"]["content"] for delta in deltas if "choices" in delta][1:]
        assert len(texts) == pieces
    else:
        assert came.startswith(b"{")


async def _until_cut(response: aiohttp.ClientResponse) -> bytes:
    came = b""
    try:
        async for chunk in response.content.iter_any():
            came += chunk
    except aiohttp.ClientPayloadError:
        return came
    raise AssertionError("the answer is whole")
