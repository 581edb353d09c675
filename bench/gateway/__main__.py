"""`python -m bench.gateway`: this gateway, LiteLLM's proxy, a bare app and the stub alone, in turns in one run.

What is measured has half of this machine's processors to itself, as a pod has what it asks for; client, stub and Redis
share the others. What counts is ratios. The gateway runs as a process of its own from the files of `dev`, with all that
is on there; LiteLLM with its equivalent; each on the interpreter, packages and code of its image. Each is measured
again while a hypervisor gives these processors to other machines; the round that least was stolen from is shown, with
what was, at full load and at half.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from statistics import median

from bench.gateway.folder import AGENT, MASTER_KEY
from bench.gateway.left_undone import counted, left_undone
from bench.gateway.load import CLIENTS, Measured, Target, at_full_load, at_rate, least_stolen, streams
from bench.gateway.processes import (
    TOKENS,
    running_bare,
    running_gateway,
    running_litellm,
    running_redis,
    running_stub,
)
from bench.gateway.programs import Program, free_port
from bench.gateway.share import Halves, halves, limited
from bench.gateway.unpacked import Unpacked, peers

_SHARE_OF_A_WORKER = 0.3
"""Of a processor, where workers are added: so that two leave enough of two processors for all the others."""
_WORKERS = (1, 2)
_ROUNDS = 7

_MOST_AT_RATE = 1500.0  # beyond it our own client takes more than its part of two cores
_GOALS = {"LiteLLM ratio": 20.0, "median ms": 2.0, "p99 ms": 10.0, "token ms": 1.0, "MiB": 120.0, "workers": 1.8}


@dataclass(frozen=True, slots=True)
class Row:
    """What one of them did."""

    name: str
    full: Measured
    half: Measured
    token_ms: float
    """Not a number where answers are not passed on as they come."""
    memory_mib: float
    undone: tuple[str, str]
    """What a gateway dropped of what follows answers, for each hundred of them: at full load, at half."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """What so many workers did: as fast as the machine lets them, and each given a part of a processor."""

    workers: int
    full: Measured
    shared: list[float]
    """Requests a second of each round; empty where no bound can be set here."""


def main() -> int:
    """Measure, print, and return 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--requests", type=int, default=100_000, help="over which memory is watched (default: 100000)")
    parser.add_argument("--without-litellm", action="store_true", help="leave the peer out")
    options = parser.parse_args()
    images = peers(with_litellm=not options.without_litellm)
    cpus = halves()
    os.sched_setaffinity(0, cpus.others)  # the client's, and of all that it starts but what is measured
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        scratch = Path(name)
        stub, redis_port = (
            stack.enter_context(running_stub(scratch, images.stub)),
            stack.enter_context(running_redis(scratch)),
        )
        with running_gateway(
            scratch, images.gateway, stub, redis_port, cpus, metrics_port=(port := free_port())
        ) as gateway:
            target = Target("sluice, 1 worker", f"{gateway.url}/v1/chat/completions", {}, AGENT)
            ours = _measure(target, gateway, options, port)
            memory = _memory_over(target, gateway, options.requests, scratch)
        # What the gateway adds is told by the same rate without it.
        rate = ours.half.requests_per_second
        key = {"Authorization": "Bearer made-for-the-benchmark"}
        alone = Target("stub alone", f"{stub.url}/openai/v1/chat/completions", key, "gpt-4o")
        rows = [_measure(alone, stub, options, rate=rate)]
        with running_bare(scratch, images.gateway, stub, cpus) as bare:
            forwarding = Target("bare app", f"{bare.url}/v1/chat/completions", {}, AGENT)
            rows.append(replace(_measure(forwarding, bare, options, rate=rate), token_ms=float("nan")))
        rows.append(ours)
        scaled = _scaled(scratch, images.gateway, stub, redis_port, cpus, options.seconds)
        if images.litellm is not None:
            with running_litellm(scratch, images.litellm, stub, redis_port, cpus) as proxy:
                headers = {"Authorization": f"Bearer {MASTER_KEY}"}
                target = Target("LiteLLM, 1 worker", f"{proxy.url}/v1/chat/completions", headers, AGENT)
                rows.append(_measure(target, proxy, options))
    return _print(rows, memory, cpus, scaled)


def _measure(
    target: Target,
    program: Program,
    options: argparse.Namespace,
    metrics_port: int | None = None,
    *,
    rate: float | None = None,
) -> Row:
    """Measure one at full load, and at half of it or at `rate`."""
    print(f"measuring {target.name} ...", file=sys.stderr, flush=True)
    counts = [counted(metrics_port)]
    with tempfile.TemporaryDirectory() as scratch:
        at_full_load(target, 2, Path(scratch))  # warm
        full = _at_full_load(target, program, options.seconds, Path(scratch))
    counts.append(counted(metrics_port))
    half = _at_rate(target, rate or min(full.requests_per_second / 2, _MOST_AT_RATE), options.seconds)
    counts.append(counted(metrics_port))
    at_full, at_half = left_undone(counts[0], counts[1]), left_undone(counts[1], counts[2])
    return Row(target.name, full, half, streams(target, TOKENS), _resident_mib(program), (at_full, at_half))


def _at_full_load(target: Target, program: Program, seconds: int, scratch: Path) -> Measured:
    def measure() -> Measured:
        before = program.cpu_seconds
        measured = at_full_load(target, seconds, scratch)
        answers = measured.requests_per_second * seconds
        return replace(measured, cpu_ms=(program.cpu_seconds - before) / answers * 1000)

    return least_stolen(measure)


def _at_rate(target: Target, requests_per_second: float, seconds: float) -> Measured:
    return least_stolen(lambda: at_rate(target, requests_per_second, seconds))


def _scaled(scratch: Path, image: Unpacked, stub: Program, redis_port: int, cpus: Halves, seconds: int) -> list[Scaled]:
    """Measure gateways of one worker and of two, in turns where each worker is given a part of a processor."""
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(running_gateway(scratch, image, stub, redis_port, cpus, workers))
            for workers in _WORKERS
        ]
        targets = [
            Target(f"{workers} workers", f"{gateway.url}/v1/chat/completions", {}, AGENT)
            for workers, gateway in zip(_WORKERS, gateways, strict=True)
        ]
        full = []
        for target, gateway in zip(targets, gateways, strict=True):
            print(f"measuring {target.name} ...", file=sys.stderr, flush=True)
            at_full_load(target, 2, scratch)  # warm
            full.append(_at_full_load(target, gateway, seconds, scratch))
        shared: list[list[float]] = [[] for _ in _WORKERS]
        try:
            for workers, gateway in zip(_WORKERS, gateways, strict=True):
                stack.enter_context(limited(gateway.pids, workers * _SHARE_OF_A_WORKER))
        except OSError:
            return [Scaled(*each) for each in zip(_WORKERS, full, shared, strict=True)]
        for _ in range(_ROUNDS):
            for target, found in zip(targets, shared, strict=True):
                found.append(at_full_load(target, max(2, seconds // 2), scratch).requests_per_second)
        return [Scaled(*each) for each in zip(_WORKERS, full, shared, strict=True)]


def _memory_over(target: Target, program: Program, requests: int, scratch: Path) -> list[tuple[int, float]]:
    """Return memory in MiB after each fifth of so many requests."""
    asked, found = 0, [(0, _resident_mib(program))]
    while asked < requests:
        measured = at_full_load(target, 5, scratch)
        asked += int(measured.requests_per_second * 5)
        if asked >= requests * len(found) / 5:
            found.append((asked, _resident_mib(program)))
    return found


def _print(rows: list[Row], memory: list[tuple[int, float]], cpus: Halves, scaled: list[Scaled]) -> int:
    print(f"{CLIENTS} clients; {cpus}; load {os.getloadavg()[0]:.1f}\n")
    head = ("", "requests/s", "CPU each", "median", "p99", "half: median", "p99", "a token", "memory", "stolen")
    print(f"{head[0]:20}" + "".join(f"{each:>14}" for each in head[1:]))
    for row in rows:
        times = (
            row.full.cpu_ms,
            row.full.median_ms,
            row.full.p99_ms,
            row.half.median_ms,
            row.half.p99_ms,
            row.token_ms,
        )
        of_others = f"{row.full.stolen:.0%}, {row.half.stolen:.0%}"
        shown = "".join(f"{'-':>14}" if isnan(each) else f"{each:>11.2f} ms" for each in times)
        print(f"{row.name:20}{row.full.requests_per_second:>14.0f}{shown}{row.memory_mib:>10.0f} MiB{of_others:>14}")
        if row.full.failed or row.half.failed:
            print(f"{'':20}failed: {row.full.failed} at full load, {row.half.failed} at half")
    stub, bare, ours = rows[:3]
    one_worker = ours.full.requests_per_second
    added = {
        "median ms": ours.half.median_ms - stub.half.median_ms,
        "p99 ms": ours.half.p99_ms - stub.half.p99_ms,
        "token ms": ours.token_ms - stub.token_ms,
        "MiB": memory[-1][1],
    }
    one, two = scaled
    turns = [with_two / with_one for with_one, with_two in zip(one.shared, two.shared, strict=True)]
    if turns:
        added["workers"] = median(turns)
    if len(rows) > 3:
        added["LiteLLM ratio"] = one_worker / rows[3].full.requests_per_second
    missed = any(row.full.failed or row.half.failed for row in rows) or two.full.failed > 0
    print()
    for name, value in added.items():
        at_least = name in ("LiteLLM ratio", "workers")
        good = value >= _GOALS[name] if at_least else value <= _GOALS[name]
        missed |= not good
        bound = "at least" if at_least else "at most"
        print(f"{name:16}{value:8.2f}   goal: {bound} {_GOALS[name]:g}{'' if good else '   MISSED'}")
    if len(rows) > 3:
        print(f"\nLiteLLM takes {rows[3].full.cpu_ms / ours.full.cpu_ms:.1f} times the processor for a request")
    print(
        f"\nan app that only forwards takes 1/{ours.full.cpu_ms / bare.full.cpu_ms:.1f} of the gateway's processor, "
        f"and at half load {ours.half.median_ms - bare.half.median_ms:.1f} ms less"
    )
    at_full, at_half = ours.undone
    print(f"\nleft undone after a hundred answers, so that the next is not late: {at_full}; at half load {at_half}")
    print("\nmemory of one worker: " + ", ".join(f"{mib:.0f} MiB after {asked:,}" for asked, mib in memory))
    for each in scaled:
        rounds = ", ".join(f"{found:.0f}" for found in each.shared) or "cannot be said without root"
        print(
            f"workers {each.workers}: {each.full.requests_per_second:.0f} requests/s, {each.full.failed} failed, "
            f"{each.full.cpu_ms:.2f} ms of a processor each; with {_SHARE_OF_A_WORKER:g} of a processor each, in turns "
            f"{rounds}"
        )
    print("without that bound, workers that share a processor can only take from each other")
    return 1 if missed else 0


def _resident_mib(program: Program) -> float:
    """Return the resident memory of the largest process of a program: its worker."""
    return max(_resident(pid) for pid in program.pids)


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
