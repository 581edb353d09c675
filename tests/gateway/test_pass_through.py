from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Send

pytestmark = pytest.mark.anyio

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}
ODD = b'{"odd":  1.0, "choices": [{"message": {}}]}'
JSON_TYPE = (b"content-type", b"application/json")


async def _error(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


async def test_the_body_reaches_the_provider_as_it_was_but_for_the_model(start: Any, provider: Any) -> None:
    recording, api = provider
    running = await start(api)
    messages = '[{"role":"user","content":"ü \\u00fc 李 🙂"}]'
    body = '{ "zeta": 1.0, "model" : "qa",\n "messages": ' + messages + ',"alpha":{"b":[],"a":1e3}}'
    async with running.post(body.encode()) as response:
        assert response.status == 200
    assert recording.bodies == [body.replace('"qa"', '"gpt-4o"').encode()]
    assert recording.paths == ["/openai/v1/chat/completions"]


async def test_the_callers_key_cookies_and_name_never_reach_a_provider(start: Any, provider: Any) -> None:
    recording, api = provider
    running = await start(api)
    secret = {
        "Authorization": "Bearer callers-own-key",
        "Cookie": "session=callers-own-key",
        "X-Api-Key": "callers-own-key",
        "Api-Key": "callers-own-key",
        "Proxy-Authorization": "Basic callers-own-key",
        "X-User-Id": "callers-own-key",
        "Connection": "x-hop",
        "X-Hop": "callers-own-key",
        "OpenAI-Organization": "callers-own-key",
    }
    async with running.post(ASK, **secret, traceparent="00-1-2-01") as response:
        assert response.status == 200
    assert b"callers-own-key" not in b"".join(value for _, value in recording.headers[0])
    assert recording.header("authorization") == "Bearer made-openai-key"
    assert recording.header("traceparent") == "00-1-2-01"
    assert [name for name, _ in recording.headers[0]].count(b"authorization") == 1


async def test_an_answer_says_who_served_and_loses_what_is_for_one_hop(
    start: Any, provider: Any, answer_with: Any
) -> None:
    recording, api = provider
    headers = [JSON_TYPE, (b"x-request-id", b"r1"), (b"set-cookie", b"a=b"), (b"x-sluice-arm", b"forged")]
    headers += [(b"connection", b"x-hop"), (b"x-hop", b"1"), (b"openai-organization", b"org-ours")]
    recording.respond = answer_with(200, ODD, *headers)
    running = await start(api)
    running.mounted.write_flags(qa=100)
    running.refresh()
    async with running.post(ASK) as response:
        assert await response.read() == ODD
        sent = response.headers
    assert (sent["x-sluice-agent"], sent["x-sluice-model"]) == ("qa", "qa-20251031")
    assert sent.getall("x-sluice-arm") == ["candidate"]
    assert sent["x-request-id"] == "r1"
    assert not {"set-cookie", "x-hop", "openai-organization"} & {name.lower() for name in sent}
    assert json.loads(recording.bodies[0])["model"] == "ft:open-mistral-7b:5010731d:20251031:ecc3829c"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, "rejected"),
        (422, "rejected"),
        (404, "error"),
        (429, "error"),
        (500, "error"),
        (503, "error"),
        (529, "error"),
    ],
)
async def test_a_providers_own_error_is_passed_through_and_counted(
    start: Any, provider: Any, answer_with: Any, eventually: Any, status: int, outcome: str
) -> None:
    recording, api = provider
    recording.respond = answer_with(
        status, b'{"error":{"message":"of the provider"}}', JSON_TYPE, (b"retry-after", b"7")
    )
    running = await start(api)
    async with running.post(ASK) as response:
        assert response.status == status
        assert await response.read() == b'{"error":{"message":"of the provider"}}'
        assert response.headers["retry-after"] == "7"
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="baseline", outcome=outcome) == 1)


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b'["no object"]', b"null"])
async def test_an_error_that_is_no_json_object_has_openais_shape_all_the_same(
    start: Any, provider: Any, answer_with: Any, body: bytes
) -> None:
    recording, api = provider
    recording.respond = answer_with(404, body, (b"content-type", b"text/html"))
    running = await start(api)
    async with running.post(ASK) as response:
        assert (response.status, response.content_type) == (404, "application/json")
        assert (await _error(response))["message"] == "The provider answered with status 404."


async def test_an_error_that_comes_in_a_list_is_given_without_it(start: Any, provider: Any, answer_with: Any) -> None:
    recording, api = provider
    recording.respond = answer_with(404, b'[{"error":{"message":"of the provider"}}]', JSON_TYPE)
    running = await start(api)
    async with running.post(ASK) as response:
        assert await response.read() == b'{"error":{"message":"of the provider"}}'


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_the_gateways_fault_and_its_words_stay_inside(
    start: Any, provider: Any, answer_with: Any, status: int
) -> None:
    recording, api = provider
    recording.respond = answer_with(
        status, b'{"error":{"message":"Incorrect API key provided: made-o*****key"}}', JSON_TYPE
    )
    running = await start(api)
    async with running.post(ASK) as response:
        assert response.status == 502
        error = await _error(response)
    assert error["code"] == "provider_refused_key"
    assert "made-o" not in json.dumps(error)


async def test_a_redirect_does_not_take_the_key_elsewhere(start: Any, provider: Any, answer_with: Any) -> None:
    recording, api = provider
    recording.respond = answer_with(307, b"", (b"location", f"{api}/elsewhere".encode()))
    running = await start(api)
    async with running.post(ASK) as response:
        assert (response.status, (await _error(response))["code"]) == (502, "provider_answer_unusable")
    assert len(recording.bodies) == 1


async def test_a_rotated_key_is_used_without_a_restart(start: Any, provider: Any, eventually: Any) -> None:
    recording, api = provider
    running = await start(api)
    async with running.post(ASK):
        assert recording.header("authorization") == "Bearer made-openai-key"
    running.mounted.write_key("openai-api-key", "rotated-key")
    await eventually(lambda: running.gateway.keys.get("openai-api-key") == "rotated-key")
    async with running.post(ASK):
        assert recording.header("authorization") == "Bearer rotated-key"


@pytest.mark.parametrize("unusable", ["", "two\nlines", "schlüssel"])
async def test_an_unusable_key_leaves_the_last_good_one_in_use(start: Any, provider: Any, unusable: str) -> None:
    recording, api = provider
    running = await start(api)
    running.mounted.write_key("openai-api-key", unusable)
    running.refresh()
    async with running.post(ASK) as response:
        assert response.status == 200
    assert recording.header("authorization") == "Bearer made-openai-key"


async def test_a_key_that_is_not_mounted_is_said(start: Any, mounted: Any, provider: Any) -> None:
    _, api = provider
    running = await start(api)
    running.gateway.keys._keys.clear()
    async with running.post(ASK) as response:
        assert (response.status, (await _error(response))["code"]) == (503, "provider_key_missing")


async def test_a_refused_connection_is_502(start: Any, closed_port: int, eventually: Any) -> None:
    running = await start(f"http://127.0.0.1:{closed_port}")
    async with running.post(ASK) as response:
        assert response.status == 502
        error = await _error(response)
        assert response.headers["x-sluice-model"] == "gpt-4o"
    assert error["code"] == "provider_unreachable"
    assert str(closed_port) not in error["message"]
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="baseline", outcome="error") == 1)


async def test_a_silent_provider_is_504(start: Any, provider: Any) -> None:
    recording, api = provider

    async def silent(_request: Request, _send: Send) -> None:
        await asyncio.sleep(5)

    recording.respond = silent
    running = await start(api, silence_timeout_seconds=0.2)
    async with running.post(ASK) as response:
        assert (response.status, (await _error(response))["code"]) == (504, "provider_timeout")


async def test_an_answer_cut_short_is_502_and_not_half_an_answer(start: Any, provider: Any) -> None:
    recording, api = provider

    async def cut(_request: Request, send: Send) -> None:
        headers = [JSON_TYPE, (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"half":', "more_body": True})

    recording.respond = cut
    running = await start(api)
    async with running.post(ASK) as response:
        assert (response.status, (await _error(response))["code"]) == (502, "provider_unreachable")


async def test_an_unknown_agent_is_404_and_hears_which_there_are(start: Any, provider: Any, eventually: Any) -> None:
    recording, api = provider
    running = await start(api)
    async with running.post({**ASK, "model": "gpt-4o"}) as response:
        assert response.status == 404
        error = await _error(response)
    assert error["code"] == "model_not_found"
    assert error["message"] == "There is no agent 'gpt-4o'; the agents are: legal, qa."
    assert recording.bodies == []
    labels = {"agent": "unknown", "arm": "none", "outcome": "rejected"}
    await eventually(lambda: running.metric("sluice_requests_total", **labels) == 1)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "invalid_json"),
        (b"{", {}, 400, "invalid_json"),
        (b'{"model":"qa"}', {}, 400, "invalid_value"),
        (b'{"messages":[1]}', {}, 400, "invalid_value"),
        (b"x" * (4 * 1024**2 + 1), {}, 413, "request_too_large"),
        (b"\x1f\x8b", {"content-encoding": "gzip"}, 415, "unsupported_content_encoding"),
    ],
)
async def test_bad_input_is_told_in_openais_shape(
    start: Any, provider: Any, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    recording, api = provider
    running = await start(api)
    async with running.post(body, **headers) as response:
        assert response.status == status
        assert response.headers["content-type"] == "application/json"
        assert (await _error(response))["code"] == code
    assert recording.bodies == []


async def test_a_large_body_without_a_stated_length_is_refused_too(start: Any, provider: Any) -> None:
    _, api = provider
    running = await start(api)

    async def trickle() -> Any:
        for _ in range(5):
            yield b" " * 1024**2

    async with running.client.post(f"{running.url}/v1/chat/completions", data=trickle()) as response:
        assert (response.status, (await _error(response))["code"]) == (413, "request_too_large")


async def test_a_body_of_just_the_limit_passes(start: Any, provider: Any) -> None:
    recording, api = provider
    running = await start(api)
    body = json.dumps(ASK).encode()
    async with running.post(body + b" " * (4 * 1024**2 - len(body))) as response:
        assert response.status == 200
    assert len(recording.bodies[0]) == 4 * 1024**2 + len("gpt-4o") - len("qa")


async def test_other_routes_are_refused_in_openais_shape(start: Any, provider: Any) -> None:
    _, api = provider
    running = await start(api)
    async with running.client.post(f"{running.url}/v1/embeddings", data=b"{}") as response:
        assert (response.status, (await _error(response))["code"]) == (404, "unknown_url")
    async with running.client.get(f"{running.url}/v1/chat/completions") as response:
        assert (response.status, (await _error(response))["code"]) == (405, "method_not_allowed")
        assert response.headers["allow"] == "POST"


async def test_models_are_the_agents(start: Any, provider: Any) -> None:
    _, api = provider
    running = await start(api)
    async with running.client.get(f"{running.url}/v1/models") as response:
        listed = await response.json()
    assert listed["object"] == "list"
    assert [(model["id"], model["object"]) for model in listed["data"]] == [("qa", "model"), ("legal", "model")]


async def test_ready_only_once_flags_are_loaded_and_until_it_drains(start: Any, mounted: Any, provider: Any) -> None:
    _, api = provider
    mounted.write_flags_text("{")
    running = await start(api)

    async def ready() -> tuple[int, str]:
        async with running.client.get(f"{running.url}/readyz") as response:
            return response.status, await response.text()

    status, why = await ready()
    assert (status, "is not JSON" in why) == (503, True)
    async with running.post(ASK) as response:
        assert (response.status, (await _error(response))["code"]) == (503, "flags_not_loaded")
    async with running.client.get(f"{running.url}/healthz") as response:
        assert response.status == 200
    mounted.write_flags()
    running.refresh()
    assert await ready() == (200, "ready\n")
    running.gateway.draining = True
    assert await ready() == (503, "not ready: shutting down\n")


async def test_a_defect_is_a_500_in_openais_shape_and_counted(
    start: Any, provider: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, api = provider
    running = await start(api)
    monkeypatch.setattr("sluice.gateway.pipeline.user_key", lambda _chat, _scope: 1 / 0)
    async with running.post(ASK) as response:
        assert (response.status, (await _error(response))["code"]) == (500, "internal_error")
    await eventually(lambda: running.metric("sluice_requests_total", agent="qa", arm="none", outcome="error") == 1)
    assert any(record.message == "request failed" for record in caplog.records)
