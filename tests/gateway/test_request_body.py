from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

pytestmark = pytest.mark.anyio

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}
MIB = 1024**2


async def _raw(url: str, request: bytes, *, rest: bytes = b"") -> bytes:
    """Send bytes as they are, all of them before anything is read, and return everything that comes back."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    try:
        writer.write(request)
        await writer.drain()
        for begin in range(0, len(rest), MIB):
            writer.write(rest[begin : begin + MIB])
            await writer.drain()
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def _head(length: int, *more: str) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: gateway", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("mebibytes", [5, 40])
async def test_a_body_that_is_too_large_is_answered_and_not_reset(start: Any, provider: Any, mebibytes: int) -> None:
    running = await start(provider[1])
    answer = await _raw(running.url, _head(mebibytes * MIB), rest=b" " * (mebibytes * MIB))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "request_too_large"


async def test_a_caller_that_asks_first_is_told_before_it_sends(start: Any, provider: Any) -> None:
    running = await start(provider[1])
    answer = await _raw(running.url, _head(5 * MIB, "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_trickles_is_given_up(start: Any, provider: Any) -> None:
    running = await start(provider[1], body_timeout_seconds=0.2)
    answer = await _raw(running.url, _head(100) + b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "request_timeout"
    assert provider[0].bodies == []


async def test_a_header_with_control_characters_is_left_behind(start: Any, provider: Any) -> None:
    recording, api = provider
    running = await start(api)
    body = json.dumps(ASK).encode()
    request = _head(len(body), "User-Agent: bell\x07", "X-Request-Id: r1", "Connection: close") + body
    answer = await _raw(running.url, request)
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))  # parsers differ in what they let in
    if recording.headers:
        assert "bell" not in (recording.header("user-agent") or "")


async def test_a_provider_whose_name_nobody_knows_is_said_so(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", unknown)
    running = await start("http://provider.invalid:1")
    async with running.client.post(f"{running.url}/v1/chat/completions", json=ASK) as response:
        assert response.status == 502
        message = (await response.json())["error"]["message"]
    assert message == "Provider 'openai' could not be asked: no connection (its name cannot be resolved)."
