from __future__ import annotations

import re
from typing import Any

import pytest

from sluice.gateway.request_id import new_request_id, provider_request_id

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_new_ids_are_uuids_of_version_7_that_rise_with_time() -> None:
    ids = [new_request_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(UUID7.fullmatch(one) for one in ids)
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


@pytest.mark.anyio
async def test_a_sane_id_of_the_callers_goes_to_the_provider_and_comes_back(start: Any, provider: Any) -> None:
    recording, api = provider
    running = await start(api)
    async with running.post(ASK, **{"X-Request-Id": "trace:7/a.b-c_d"}) as response:
        assert response.headers["x-sluice-request-id"] == "trace:7/a.b-c_d"
    assert recording.header("x-request-id") == "trace:7/a.b-c_d"
    assert [name for name, _ in recording.headers[0]].count(b"x-request-id") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "ä", '{"a":1}'])
async def test_another_id_is_replaced_by_a_new_one(start: Any, provider: Any, given: str) -> None:
    recording, api = provider
    running = await start(api)
    async with running.post(ASK, **{"X-Request-Id": given}) as response:
        assert UUID7.fullmatch(response.headers["x-sluice-request-id"])
    assert recording.header("x-request-id") == response.headers["x-sluice-request-id"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/nowhere", "/v1/chat/completions"])
async def test_every_answer_has_an_id(start: Any, path: str) -> None:
    running = await start("http://127.0.0.1:9")
    async with running.client.get(running.url + path) as response:
        assert UUID7.fullmatch(response.headers["x-sluice-request-id"])


@pytest.mark.anyio
async def test_every_line_logged_for_a_request_has_its_id(
    start: Any, closed_port: int, eventually: Any, log_lines: list[dict[str, Any]]
) -> None:
    running = await start(f"http://127.0.0.1:{closed_port}")
    async with running.post(ASK, **{"X-Request-Id": "mine"}) as response:
        assert response.status == 502
    await eventually(lambda: any(line["event"] == "request" for line in log_lines))
    told = [line for line in log_lines if line["event"] in {"request", "request refused", "model failed"}]
    assert len(told) >= 2
    assert {line["request_id"] for line in told} == {"mine"}


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([(b"x-request-id", b"req_1"), (b"request-id", b"req_2")], "req_1"),
        ([(b"content-type", b"application/json"), (b"request-id", b"req_2")], "req_2"),
        ([(b"mistral-correlation-id", b"019a")], "019a"),
        ([(b"x-request-id", b"two words"), (b"request-id", b"req_2")], "req_2"),
        ([(b"x-request-id", b"x" * 129)], None),
        ([], None),
    ],
)
def test_what_a_provider_calls_a_request_is_known_by_its_headers(
    headers: list[tuple[bytes, bytes]], found: str | None
) -> None:
    assert provider_request_id(headers) == found


@pytest.mark.anyio
async def test_a_failed_attempt_is_logged_with_the_providers_own_id(
    start: Any, provider: Any, answer_with: Any, eventually: Any, log_lines: list[dict[str, Any]]
) -> None:
    recording, api = provider
    recording.respond = answer_with(500, b"{}", (b"request-id", b"req_of_the_provider"))
    running = await start(api)
    async with running.post(ASK) as response:
        assert response.status == 500
    await eventually(lambda: any(line["event"] == "request" for line in log_lines))
    named = {line["event"]: line.get("provider_request_id") for line in log_lines}
    assert named["model failed"] == named["request"] == "req_of_the_provider"
