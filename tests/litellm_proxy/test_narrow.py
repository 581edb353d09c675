"""What reaches LiteLLM: the chat of whoever has its key, in OpenAI's fields, and the kubelet's questions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from sluice.litellm_proxy.narrow import Narrow

KEY = "made-master-key"
ASK = {"model": "qa-1", "messages": [{"role": "user", "content": "hello"}], "user": "ada", "stream": False}


class Behind:
    """Stands where LiteLLM does, and keeps what reached it."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str, dict[str, Any] | None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"] if scope["method"] == "POST" else b""
        headers = dict(scope["headers"])
        assert int(headers.get(b"content-length", len(body))) == len(body)
        self.reached.append((scope["method"], scope["path"], json.loads(body) if body else None))
        await JSONResponse({"answered": True})(scope, receive, send)


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def client(behind: Behind) -> TestClient:
    return TestClient(Narrow(behind, KEY), headers={"Authorization": f"Bearer {KEY}"})


def test_a_question_reaches_litellm_as_it_was_asked(client: TestClient, behind: Behind) -> None:
    assert client.post("/v1/chat/completions", json=ASK).json() == {"answered": True}
    assert behind.reached == [("POST", "/v1/chat/completions", ASK)]


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/readiness"])
def test_the_kubelet_may_ask_without_a_key(path: str, behind: Behind) -> None:
    assert TestClient(Narrow(behind, KEY)).get(path).status_code == 200
    assert behind.reached == [("GET", path, None)]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ui/",
        "/key/generate",
        "/user/new",
        "/model/new",
        "/config/update",
        "/openai/v1/files",
        "/v1/models",
        "/chat/completions",
        "/v1/chat/completions/",
        "//v1/chat/completions",
        "/v1/chat/completions/../../key/list",
        "/health",
        "/metrics",
        "/docs",
    ],
)
def test_nothing_else_is_reached_not_even_with_the_key(
    method: str, path: str, client: TestClient, behind: Behind
) -> None:
    assert client.request(method, f"http://testserver{path}").status_code == 404
    assert behind.reached == []


def test_the_chat_is_asked_by_post_alone(client: TestClient, behind: Behind) -> None:
    assert client.get("/v1/chat/completions").status_code == 404
    assert behind.reached == []


def test_a_websocket_is_closed(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect, match="") as closed, client.websocket_connect("/v1/realtime"):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("sent", [None, "Bearer other", f"bearer {KEY}", KEY, f"Bearer {KEY} "])
def test_without_the_key_nothing_is_asked(sent: str | None, behind: Behind) -> None:
    headers = {} if sent is None else {"Authorization": sent}

    answered = TestClient(Narrow(behind, KEY)).post("/v1/chat/completions", json=ASK, headers=headers)

    assert answered.status_code == 401
    assert KEY not in answered.text
    assert behind.reached == []


@pytest.mark.parametrize(
    "field",
    ["mock_response", "mock_testing_fallbacks", "api_base", "api_key", "fallbacks", "user_config", "guardrails"],
)
def test_a_field_by_which_litellm_takes_orders_is_refused_by_its_name(
    field: str, client: TestClient, behind: Behind
) -> None:
    answered = client.post("/v1/chat/completions", json={**ASK, field: "x"})

    assert answered.status_code == 400
    assert f'\\"{field}\\" is no field of OpenAI' in answered.text
    assert behind.reached == []


def test_metadata_is_left_out_because_litellm_reads_settings_there(client: TestClient, behind: Behind) -> None:
    client.post("/v1/chat/completions", json={**ASK, "metadata": {"tags": ["a"]}})

    assert behind.reached[0][2] == ASK


def test_a_field_that_stands_twice_is_the_same_to_both(client: TestClient, behind: Behind) -> None:
    client.post("/v1/chat/completions", content='{"model": "a", "messages": [], "model": "b"}')

    assert behind.reached[0][2] == {"model": "b", "messages": []}


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "[" * 100_000, "\xff"])
def test_what_is_no_json_object_is_refused(body: str, client: TestClient, behind: Behind) -> None:
    assert client.post("/v1/chat/completions", content=body.encode("latin-1")).status_code == 400
    assert behind.reached == []


def test_a_body_without_an_end_is_refused_before_memory_runs_out(client: TestClient, behind: Behind) -> None:
    assert client.post("/v1/chat/completions", content=b" " * (32 * 2**20 + 1)).status_code == 413
    assert behind.reached == []
