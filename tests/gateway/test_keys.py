from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from prometheus_client import generate_latest
from starlette.types import Receive, Scope, Send

from sluice.key_hash import METRIC, key_hash

pytestmark = pytest.mark.anyio

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}'


class Guarded:
    """A provider that takes one key alone, from one moment to the next another."""

    def __init__(self) -> None:
        self.key = "made-openai-key"
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer those who have the key."""
        while (await receive()).get("more_body"):
            pass
        right = dict(scope["headers"]).get(b"authorization") == f"Bearer {self.key}".encode()
        self.refused += not right
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200 if right else 401, "headers": headers})
        await send({"type": "http.response.body", "body": COMPLETION if right else b'{"error":{"message":"no"}}'})


async def test_no_request_fails_while_a_providers_key_is_replaced(start: Any, serve: Any, eventually: Any) -> None:
    guarded = Guarded()
    running = await start(await serve(guarded))
    statuses: list[int] = []
    answered = [0] * 4
    ends = asyncio.Event()

    async def call(caller: int) -> None:
        while not ends.is_set():
            async with running.post(ASK) as response:
                statuses.append(response.status)
            answered[caller] += 1

    async def each_was_answered_twice() -> None:
        before = list(answered)
        await eventually(lambda: all(now >= then + 2 for now, then in zip(answered, before, strict=True)))

    calls = [asyncio.create_task(call(caller)) for caller in range(4)]
    for number in range(5):
        await each_was_answered_twice()  # so that no request sees two replacements: it is asked again once
        # At once for the provider, which refuses the old key from here on, and not yet read by the gateway.
        running.mounted.write_key("openai-api-key", f"key-{number}")
        guarded.key = f"key-{number}"
    await each_was_answered_twice()
    ends.set()
    await asyncio.gather(*calls)
    assert guarded.refused >= 1, "the gateway never used an old key"
    assert set(statuses) == {200}


async def test_a_key_that_stays_refused_is_tried_once(start: Any, serve: Any) -> None:
    guarded = Guarded()
    guarded.key = "a key that nobody has"
    running = await start(await serve(guarded))
    async with running.post(ASK) as response:
        assert response.status == 502
        assert (await response.json())["error"]["code"] == "provider_refused_key"
    assert guarded.refused == 1


def _shown(running: Any) -> dict[str, float]:
    registry = running.gateway.metrics.registry
    return {
        provider: registry.get_sample_value(METRIC, {"provider": provider})
        for provider in running.gateway.configuration.providers
    }


async def test_which_key_is_in_use_shows_as_a_number_that_is_not_the_beginning_of_its_digest(
    start: Any, stub: str
) -> None:
    running = await start(stub)
    before = _shown(running)
    assert before["openai"] == key_hash("made-openai-key")
    assert 0 < before["openai"] < 2**32
    assert f"{key_hash('made-openai-key'):08x}" not in sha256(b"made-openai-key").hexdigest()

    running.mounted.write_key("openai-api-key", "rotated-key")
    running.refresh()

    assert _shown(running) == {**before, "openai": key_hash("rotated-key")}
    page = generate_latest(running.gateway.metrics.registry).decode()
    (line,) = [line for line in page.splitlines() if line.startswith(f'{METRIC}{{provider="openai"}} ')]
    assert int(float(line.split()[1])) == key_hash("rotated-key"), "it is written so that it is read as the same number"
    assert "rotated-key" not in page


async def test_an_unusable_key_leaves_the_number_of_the_one_in_use(start: Any, stub: str) -> None:
    running = await start(stub)
    running.mounted.write_key("openai-api-key", "two words")
    running.refresh()
    assert _shown(running)["openai"] == key_hash("made-openai-key")
