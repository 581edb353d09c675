"""A steady load on the gateway: so many calls a second whether or not they are answered, plain and streamed mixed.

An open loop, so that a gateway that stalls shows as calls that wait and not as fewer calls. It runs in a thread of its
own while a test does its harm. Each call asks something new, so that no cache answers for a model.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiohttp

USERS_OF_AN_AGENT = 30
CALLS_A_SECOND = 50.0

_MOST_IN_FLIGHT = 1000
_PATIENCE_SECONDS = 60.0
_TRIES_APART_SECONDS = 0.5


@dataclass(slots=True)
class Call:
    """One call, and what came of it. `fault` is empty where a whole answer came."""

    agent: str
    user: str
    streams: bool
    began: float
    """By `time.monotonic`."""
    seconds: float = 0.0
    tries: int = 0
    status: int | None = None
    arm: str = ""
    model: str = ""
    outcome: str = ""
    """What the gateway says in x-sluice-outcome: "fallback", or nothing."""
    fault: str = ""
    error: Mapping[str, Any] = field(default_factory=dict)
    """The error that the caller was told, in OpenAI's shape; empty where it was told none."""

    def __str__(self) -> str:
        kind = "stream" if self.streams else "plain"
        served = f"{self.arm or 'no arm'}, {self.model or 'no model'}"
        return f"{self.user} ({kind}; {served}): {self.status}, {self.seconds * 1000:.0f} ms: {self.fault}"


class Load:
    """Calls from `with` to its end; then `calls` is all of them. Bounded in rate and in calls under way.

    `tries` is how often a caller asks when its connection breaks before an answer: 1, or 3 as OpenAI's clients do.
    `users` are those of each agent, who ask in turn. `connector` makes what leads to the address in a way of its own.
    """

    def __init__(
        self,
        url: str,
        agents: tuple[str, ...],
        *,
        calls_a_second: float = CALLS_A_SECOND,
        tries: int = 1,
        key: str | None = None,
        users: int = USERS_OF_AN_AGENT,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.seconds = 0.0
        self.key = key
        """May be changed while it runs, as a caller changes over to its new key."""
        self._url = url
        self._agents = agents
        self._apart_seconds = 1 / calls_a_second
        self._tries = tries
        self._users = users
        self._connector = connector or partial(aiohttp.TCPConnector, limit=0)
        self._stop = threading.Event()
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._began
        self._stop.set()
        self._thread.join(_PATIENCE_SECONDS + 10)
        assert not self._thread.is_alive(), "calls are still under way"
        if self._broken is not None and error is None:
            raise self._broken

    @property
    def failed(self) -> list[Call]:
        """The calls without a whole answer."""
        return [call for call in self.calls if call.fault]

    @property
    def fallen_back(self) -> list[Call]:
        """The calls that another model answered than the one that should have."""
        return [call for call in self.calls if call.outcome == "fallback"]

    @property
    def worst_ms(self) -> float:
        """The longest that a call took, in milliseconds."""
        return max((call.seconds * 1000 for call in self.calls), default=0.0)

    def arms(self) -> dict[str, set[str]]:
        """Return the arms that each user got."""
        arms: dict[str, set[str]] = {}
        for call in self.calls:
            if call.arm:
                arms.setdefault(call.user, set()).add(call.arm)
        return arms

    def counts(self) -> str:
        """Return how many calls ended in which way, the most first."""
        ways = Counter(
            f"{call.status} {call.arm or 'no arm'}{' ' + call.outcome if call.outcome else ''}" for call in self.calls
        )
        return ", ".join(f"{count} x {way}" for way, count in ways.most_common())

    def _run(self) -> None:
        try:
            asyncio.run(self._call_steadily())
        except BaseException as error:  # noqa: BLE001 -- told to the test, which is in another thread
            self._broken = error

    async def _call_steadily(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        patience = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
        async with aiohttp.ClientSession(self._url, connector=self._connector(), timeout=patience) as session:
            began = time.monotonic()
            for number in itertools.count():
                await asyncio.sleep(max(0.0, began + number * self._apart_seconds - time.monotonic()))
                if self._stop.is_set():
                    break
                agent = self._agents[number % len(self._agents)]
                user = f"{agent}-user-{number // len(self._agents) % self._users}"
                call = Call(agent, user, number % 3 == 0, time.monotonic())
                self.calls.append(call)
                if len(under_way) >= _MOST_IN_FLIGHT:
                    call.fault = f"not sent: {_MOST_IN_FLIGHT} calls are under way"
                    continue
                task = asyncio.create_task(self._call(session, call, number))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.gather(*under_way)

    async def _call(self, session: aiohttp.ClientSession, call: Call, number: int) -> None:
        body = {
            "model": call.agent,
            "user": call.user,
            "stream": call.streams,
            "messages": [{"role": "user", "content": f"What does step {number} of the plan cost, at {call.began}?"}],
        }
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            while True:
                call.tries += 1
                try:
                    async with session.post("/v1/chat/completions", json=body, headers=headers) as response:
                        await _read(call, response)
                    return
                except (aiohttp.ClientConnectionError, TimeoutError) as error:
                    call.fault = f"{type(error).__name__} {error}".strip()
                    if call.tries >= self._tries or call.status is not None:
                        return
                    await asyncio.sleep(_TRIES_APART_SECONDS)
        except aiohttp.ClientError as error:
            call.fault = f"{type(error).__name__} {error}".strip()
        finally:
            call.seconds = time.monotonic() - call.began


async def _read(call: Call, response: aiohttp.ClientResponse) -> None:
    call.fault = "the answer is not whole"  # until it is
    call.status = response.status
    call.arm = response.headers.get("x-sluice-arm", "")
    call.model = response.headers.get("x-sluice-model", "")
    call.outcome = response.headers.get("x-sluice-outcome", "")
    content = await response.read()
    try:
        if response.status == 200:
            call.fault, call.error = _stream_fault(content) if call.streams else _plain_fault(content)
        else:
            call.error = json.loads(content)["error"]
            call.fault = str(call.error["message"])
    except (ValueError, LookupError, TypeError) as error:
        call.fault = f"it cannot be read ({type(error).__name__} {error}): {content[:200]!r}"


def _plain_fault(content: bytes) -> tuple[str, Mapping[str, Any]]:
    text = json.loads(content)["choices"][0]["message"]["content"]
    return ("" if text else "the answer is empty"), {}


def _stream_fault(content: bytes) -> tuple[str, Mapping[str, Any]]:
    events = [line.removeprefix("data: ") for line in content.decode().splitlines() if line.startswith("data: ")]
    documents = [json.loads(event) for event in events if event != "[DONE]"]
    told = [document["error"] for document in documents if "error" in document]
    if told:
        return f"the stream says: {told[0]['message']}", told[0]
    if not events or events[-1] != "[DONE]":
        return "the stream ends before [DONE]", {}
    pieces = [choice["delta"].get("content") for document in documents for choice in document["choices"]]
    return ("" if any(pieces) else "the stream is empty"), {}
