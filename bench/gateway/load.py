"""Load and what it measured: wrk as fast as answers come, a client of our own at a fixed rate, and streams.

At a fixed rate a request's time counts from when it was due, so that a gateway which stalls does not slow down the
question and hide it. Its client does as little as it can while it asks, because it shares a processor with the stub:
the less it takes, the less it is what is measured. Every question is a new one: a cache stores it and never has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.gateway.programs import debian_program
from bench.stolen import stolen

CLIENTS = 16
_MOST_ROUNDS = 4
_TURNS = 5
_NEXT_TO_NOTHING = 0.01
_SHORTEST_WAIT_SECONDS = 0.0005

_SCRIPT = """
local count, seed = 0, tostring(os.time()) .. tostring({})
wrk.method = "POST"
for name, value in string.gmatch(os.getenv("BENCH_HEADERS"), "([^=;]+)=([^;]+)") do wrk.headers[name] = value end
function request()
  count = count + 1
  local number = seed .. count
  return wrk.format(nil, nil, nil, (string.gsub(os.getenv("BENCH_BODY"), "NUMBER", number)))
end
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: an address, the headers that go with it, and the model it knows."""

    name: str
    url: str
    headers: dict[str, str]
    model: str

    def body(self, number: object, *, stream: bool = False) -> str:
        """Return a question that nobody has asked before, 200 words long."""
        text = f"{number}: " + "what does this function return and which tests does it lack " * 16
        asked = {"model": self.model, "user": f"user-{number}", "messages": [{"role": "user", "content": text}]}
        return json.dumps({**asked, "stream": True} if stream else asked)


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests a second, times in milliseconds, and answers that were not good."""

    requests_per_second: float
    median_ms: float
    p99_ms: float
    failed: int
    cpu_ms: float = 0.0
    """Of a processor, for each request, where it was watched who answers."""
    stolen: float = 0.0
    """The steal time: its share of the time that this machine wanted processors for."""


def least_stolen(measure: Callable[[], Measured]) -> Measured:
    """Measure until next to nothing is stolen, or some times; return the one that least was stolen from."""
    best: Measured | None = None
    for _ in range(_MOST_ROUNDS):
        with stolen() as taken:
            found = measure()
        found = replace(found, stolen=taken.share)
        if best is None or found.stolen < best.stolen:
            best = found
        if best.stolen < _NEXT_TO_NOTHING:
            break
    assert best is not None
    return best


def in_turns(measures: Sequence[Callable[[], Measured]]) -> list[list[Measured]]:
    """Measure each in turn, round after round, and return the rounds of each: a machine has slower minutes."""
    found: list[list[Measured]] = [[] for _ in measures]
    for _ in range(_TURNS):
        for measure, rounds in zip(measures, found, strict=True):
            with stolen() as taken:
                measured = measure()
            rounds.append(replace(measured, stolen=taken.share))
    return found


def middle(rounds: Sequence[Measured]) -> Measured:
    """Return the median of each figure; what failed is added up."""
    return Measured(
        median(each.requests_per_second for each in rounds),
        median(each.median_ms for each in rounds),
        median(each.p99_ms for each in rounds),
        sum(each.failed for each in rounds),
        stolen=median(each.stolen for each in rounds),
    )


def at_full_load(target: Target, seconds: int, scratch: Path) -> Measured:
    """Ask as fast as answers come, by wrk."""
    wrk, variables = debian_program("wrk")
    script = scratch / "ask.lua"
    script.write_text(_SCRIPT)
    headers = {"Content-Type": "application/json", **target.headers}
    environment = {
        **os.environ,
        **variables,
        "BENCH_BODY": target.body("NUMBER"),
        "BENCH_HEADERS": ";".join(f"{name}={value}" for name, value in headers.items()),
    }
    options = ["-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", str(script)]
    ran = subprocess.run([wrk, *options, target.url], capture_output=True, text=True, check=True, env=environment)
    if "99%" not in ran.stdout:
        sys.exit(f"{target.name}: wrk measured nothing:\n{ran.stdout}")
    rate = float(re.findall(r"Requests/sec:\s+([0-9.]+)", ran.stdout)[0])
    times = {share: float(number) * _UNITS[unit] for share, number, unit in _TIMES.findall(ran.stdout)}
    if len(times) < 2:  # too few answers for wrk to tell quantiles of
        sys.exit(f"{target.name}: wrk measured too little:\n{ran.stdout}")
    return Measured(
        rate, times["50"], times["99"], sum(int(one or other) for one, other in _FAILED.findall(ran.stdout))
    )


_TIMES = re.compile(r"^\s+(50|99)%\s+([0-9.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)|(?:connect|read|write|timeout) (\d+)")


def at_rate(target: Target, requests_per_second: float, seconds: float) -> Measured:
    """Ask at a fixed rate, whatever comes of it."""
    return uvloop.run(_at_rate(target, requests_per_second, seconds))


def streams(target: Target, tokens: int, at_once: int = 8) -> float:
    """Return the milliseconds that a token of a stream took, the mean over `at_once` streams of `tokens` each."""
    return uvloop.run(_streams(target, tokens, at_once))


class _Caller(asyncio.Protocol):
    """A connection that asks one question at a time; who is free stands in `free`."""

    def __init__(self, free: deque[_Caller], answered: Callable[[float, bool], None]) -> None:
        self._free = free
        self._answered = answered
        self._due: float | None = None
        self._got = bytearray()
        self._length = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be free."""
        self._transport = cast("asyncio.Transport", transport)
        self._free.append(self)

    def ask(self, request: bytes, due: float) -> None:
        """Send a question that was due at a moment."""
        self._due = due
        self._got.clear()
        self._length = 0
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer; all of it is told, and then this one is free."""
        self._got += data
        if not self._length:
            found = _LENGTH.search(self._got)
            if found is None:
                return
            self._length = found.end() + int(found[1])
        if len(self._got) >= self._length and self._due is not None:
            due, self._due = self._due, None
            self._answered(due, self._got.startswith(b"HTTP/1.1 200 "))
            self._free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that a question under way failed, and ask no more."""
        del exc
        if self._due is not None:
            self._answered(self._due, False)
        elif self in self._free:
            self._free.remove(self)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


_LENGTH = re.compile(rb"content-length: (\d+)\r\n(?:[^\r]+\r\n)*\r\n", re.IGNORECASE)


async def _at_rate(target: Target, rate: float, seconds: float) -> Measured:
    parts, count = urlsplit(target.url), int(rate * seconds)
    named = time.time()
    requests = [_request(target, f"{named}-{number}") for number in range(count)]
    times, failed = array("d"), 0

    def answered(due: float, is_good: bool) -> None:
        nonlocal failed
        if is_good:
            times.append((time.perf_counter() - due) * 1000)
        else:
            failed += 1

    free: deque[_Caller] = deque()
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(free, answered), str(parts.hostname), int(parts.port or 80)))[1]
        for _ in range(CLIENTS * 4)
    ]
    began = time.perf_counter()
    async with asyncio.timeout(seconds + 60):
        for number, request in enumerate(requests):
            due = began + number / rate
            wait = due - time.perf_counter()
            if wait > _SHORTEST_WAIT_SECONDS:
                await asyncio.sleep(wait)
            while not free:  # a target that hangs up on all of them ends in the time limit
                await asyncio.sleep(_SHORTEST_WAIT_SECONDS)
            free.popleft().ask(request, due)
        while len(times) + failed < count:
            await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    for caller in callers:
        caller.close()
    ordered = sorted(times) or [float("nan")]
    return Measured(count / took, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], failed)


async def _streams(target: Target, tokens: int, at_once: int) -> float:
    parts = urlsplit(target.url)

    async def one(number: int) -> float:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(_request(target, f"{time.time()}-{number}", stream=True))
        await reader.readuntil(b"\r\n\r\n")
        began = time.perf_counter()
        try:
            await reader.readuntil(b"data: [DONE]")
        finally:
            writer.close()
        return (time.perf_counter() - began) * 1000 / tokens

    took = await asyncio.gather(*(one(number) for number in range(at_once)))
    return sum(took) / len(took)


def _request(target: Target, number: str, *, stream: bool = False) -> bytes:
    parts, body = urlsplit(target.url), target.body(number, stream=stream).encode()
    headers = {"Host": parts.netloc, "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **target.headers}.items())
    return f"POST {parts.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
