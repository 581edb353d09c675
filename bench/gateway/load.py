"""Load and what it measured: wrk as fast as answers come, a client of our own at a fixed rate, and streams.

At a fixed rate a request's time counts from when it was due, so that a gateway which stalls does not slow down the
question and hide it. Every question is a new one: a cache stores it and never has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench.gateway.programs import debian_program
from bench.stolen import stolen

CLIENTS = 16
_MOST_ROUNDS = 4
_NEXT_TO_NOTHING = 0.01

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


@dataclass(slots=True)
class _Times:
    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0


async def _at_rate(target: Target, rate: float, seconds: float) -> Measured:
    times, due, count = _Times(), asyncio.Queue[float](), int(rate * seconds)
    callers = [asyncio.create_task(_call(target, due, times, caller)) for caller in range(CLIENTS * 4)]
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    for number in range(count):
        at = began + number / rate
        wait = at - time.perf_counter()
        if wait > 0.0005:
            await asyncio.sleep(wait)
        due.put_nowait(at)
    async with asyncio.timeout(60):
        while len(times.milliseconds) + times.failed < count:
            await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    for caller in callers:
        caller.cancel()
    ordered = sorted(times.milliseconds) or [float("nan")]
    return Measured(count / took, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], times.failed)


async def _call(target: Target, due: asyncio.Queue[float], times: _Times, caller: int) -> None:
    parts = urlsplit(target.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    number = 0
    try:
        while True:
            at = await due.get()
            number += 1
            writer.write(_request(target, f"{at}-{caller}-{number}"))
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(found[1]) if found else 0)
            if b" 200 " in head[:16]:
                times.milliseconds.append((time.perf_counter() - at) * 1000)
            else:
                times.failed += 1
    finally:
        writer.close()


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
