from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sluice.gateway.connection import HEAD_LIMIT_BYTES, HEADERS_LIMIT, BoundedHead

pytestmark = pytest.mark.anyio

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


async def _exchange(url: str, *pieces: bytes) -> bytes:
    """Send pieces and return all that came back until the gateway closed."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def _refusal(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


@pytest.fixture
async def url(start: Any) -> str:
    return str((await start("http://127.0.0.1:9")).url)


async def test_as_many_headers_as_allowed_pass(url: str) -> None:
    headers = b"".join(b"x-%d: %s\r\n" % (number, b"v" * 200) for number in range(HEADERS_LIMIT - 2))
    answer = await _exchange(url, GET + headers + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


async def test_more_headers_than_allowed_are_refused(url: str) -> None:
    headers = b"".join(b"x-%d: v\r\n" % number for number in range(HEADERS_LIMIT))
    assert _refusal(await _exchange(url, GET + headers + b"\r\n")) == (431, "request_headers_too_large")


async def test_longer_headers_than_allowed_are_refused(url: str) -> None:
    long = b"x: " + b"v" * HEAD_LIMIT_BYTES + b"\r\n\r\n"
    assert _refusal(await _exchange(url, GET + long)) == (431, "request_headers_too_large")


async def test_a_header_that_never_ends_is_refused_before_it_fills_the_memory(url: str) -> None:
    pieces = [b"v" * 8192] * (HEAD_LIMIT_BYTES // 8192)
    assert _refusal(await _exchange(url, GET + b"x: ", *pieces)) == (431, "request_headers_too_large")


async def test_an_address_that_never_ends_is_refused(url: str) -> None:
    assert _refusal(await _exchange(url, b"GET /" + b"a" * 2 * HEAD_LIMIT_BYTES))[0] == 431


async def test_the_head_of_a_second_request_is_bounded_too(url: str) -> None:
    answer = await _exchange(url, GET + b"\r\n", GET + b"x: " + b"v" * HEAD_LIMIT_BYTES + b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 431" in answer


@pytest.mark.parametrize("bytes_sent", [b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_what_is_no_http_is_told_so_and_nothing_is_logged_of_it(url: str, bytes_sent: bytes) -> None:
    assert _refusal(await _exchange(url, bytes_sent)) == (400, "invalid_http")


async def test_a_head_that_trickles_is_refused_in_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHead, "head_seconds", 0.2)
    assert _refusal(await _exchange(url, GET, b"x: y")) == (408, "request_timeout")


async def test_a_connection_on_which_nobody_asks_is_closed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHead, "head_seconds", 0.1)
    assert await _exchange(url) == b""


async def test_an_answer_that_takes_longer_than_a_head_may_is_not_cut(
    start: Any, provider: Any, answer_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, api = provider
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}'
    whole = answer_with(200, body, (b"content-type", b"application/json"))

    async def slowly(request: Any, send: Any) -> None:
        await asyncio.sleep(0.5)
        await whole(request, send)

    recording.respond = slowly
    monkeypatch.setattr(BoundedHead, "head_seconds", 0.1)
    running = await start(api)
    ask = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}
    async with running.post(ask) as response:
        assert (response.status, await response.read()) == (200, body)
