"""`python -m bench.gateway`: this gateway, LiteLLM's proxy, a bare app and the stub alone, in turns in one run.

What is measured has half of this machine's processors to itself, as a pod has what it asks for; client, stub and Redis
share the others. What counts is ratios. The gateway runs as a process of its own from the files of `dev`, with all that
is on there; LiteLLM with its equivalent; each on the interpreter, packages and code of its image. What is compared is
measured in turns, and of the rounds the middle one counts. At full load each is also measured by itself, again while a
hypervisor gives these processors to other machines.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from math import isnan
from pathlib import Path
from statistics import median

from bench.gateway.folder import AGENT, MASTER_KEY
from bench.gateway.left_undone import counted, left_undone
from bench.gateway.load import (
    CLIENTS,
    Measured,
    Target,
    at_full_load,
    at_rate,
    in_turns,
    least_stolen,
    middle,
    streams,
)
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


@dataclass(frozen=True, slots=True)
class Scaled:
    """What one worker and two did as fast as the machine lets them; round by round how many times as much two did."""

    full: list[Measured]
    ratios: list[float]
    """Where each is given a part of a processor; empty where no bound can be set here."""


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
        stub = stack.enter_context(running_stub(scratch, images.stub))
        redis_port = stack.enter_context(running_redis(scratch))
        metrics_port = free_port()
        gateway = stack.enter_context(
            running_gateway(scratch, images.gateway, stub, redis_port, cpus, metrics_port=metrics_port)
        )
        key = {"Authorization": "Bearer made-for-the-benchmark"}
        alone = Target("stub alone", f"{stub.url}/openai/v1/chat/completions", key, "gpt-4o")
        target = Target("sluice, 1 worker", f"{gateway.url}/v1/chat/completions", {}, AGENT)
        counts = [counted(metrics_port)]
        ours = _measure(target, gateway, scratch, options)
        counts.append(counted(metrics_port))
        memory = _memory_over(target, gateway, options.requests, scratch)
        rows = [_measure(alone, stub, scratch, options)]
        with running_bare(scratch, images.gateway, stub, cpus) as bare:
            forwarding = Target("bare app", f"{bare.url}/v1/chat/completions", {}, AGENT)
            rows += [replace(_measure(forwarding, bare, scratch, options), token_ms=float("nan")), ours]
            # What is added is told by the same rate without it, in turns: a machine has slower minutes.
            print("measuring half load in turns ...", file=sys.stderr, flush=True)
            counts.append(counted(metrics_port))
            rate = ours.full.requests_per_second / 2
            rounds = in_turns([partial(at_rate, each, rate, options.seconds) for each in (alone, forwarding, target)])
            counts.append(counted(metrics_port))
        rows = [replace(row, half=middle(measured)) for row, measured in zip(rows, rounds, strict=True)]
        undone = left_undone(counts[0], counts[1]), left_undone(counts[2], counts[3])
        scaled = _scaled(scratch, images.gateway, stub, redis_port, cpus, options.seconds)
        ratios: list[float] = []
        if images.litellm is not None:
            with running_litellm(scratch, images.litellm, stub, redis_port, cpus) as proxy:
                headers = {"Authorization": f"Bearer {MASTER_KEY}"}
                peer = Target("LiteLLM, 1 worker", f"{proxy.url}/v1/chat/completions", headers, AGENT)
                row = _measure(peer, proxy, scratch, options)
                rows.append(replace(row, half=at_rate(peer, row.full.requests_per_second / 2, options.seconds)))
                print("measuring LiteLLM and sluice in turns ...", file=sys.stderr, flush=True)
                ratios = _ratios([partial(at_full_load, each, options.seconds, scratch) for each in (peer, target)])
    return _print(rows, memory, cpus, scaled, ratios, undone)


def _measure(target: Target, program: Program, scratch: Path, options: argparse.Namespace) -> Row:
    """Measure one at full load, and its streams; its half load is another's to say."""
    print(f"measuring {target.name} ...", file=sys.stderr, flush=True)
    at_full_load(target, 2, scratch)  # warm
    full = _at_full_load(target, program, options.seconds, scratch)
    return Row(target.name, full, full, streams(target, TOKENS), _resident_mib(program))


def _ratios(measures: list[Callable[[], Measured]]) -> list[float]:
    """Return of each round how many times the first's requests a second the second did."""
    first, second = in_turns(measures)
    return [two.requests_per_second / one.requests_per_second for one, two in zip(first, second, strict=True)]


def _at_full_load(target: Target, program: Program, seconds: int, scratch: Path) -> Measured:
    def measure() -> Measured:
        before = program.cpu_seconds
        measured = at_full_load(target, seconds, scratch)
        answers = measured.requests_per_second * seconds
        return replace(measured, cpu_ms=(program.cpu_seconds - before) / answers * 1000)

    return least_stolen(measure)


def _scaled(scratch: Path, image: Unpacked, stub: Program, redis_port: int, cpus: Halves, seconds: int) -> Scaled:
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
        try:
            for workers, gateway in zip(_WORKERS, gateways, strict=True):
                stack.enter_context(limited(gateway.pids, workers * _SHARE_OF_A_WORKER))
        except OSError:
            return Scaled(full, [])
        return Scaled(full, _ratios([partial(at_full_load, target, seconds, scratch) for target in targets]))


def _memory_over(target: Target, program: Program, requests: int, scratch: Path) -> list[tuple[int, float]]:
    """Return memory in MiB after each fifth of so many requests."""
    asked, found = 0, [(0, _resident_mib(program))]
    while asked < requests:
        measured = at_full_load(target, 5, scratch)
        asked += int(measured.requests_per_second * 5)
        if asked >= requests * len(found) / 5:
            found.append((asked, _resident_mib(program)))
    return found


def _print(
    rows: list[Row],
    memory: list[tuple[int, float]],
    cpus: Halves,
    scaled: Scaled,
    ratios: list[float],
    undone: tuple[str, str],
) -> int:
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
    added = {
        "median ms": ours.half.median_ms - stub.half.median_ms,
        "p99 ms": ours.half.p99_ms - stub.half.p99_ms,
        "token ms": ours.token_ms - stub.token_ms,
        "MiB": memory[-1][1],
    }
    if scaled.ratios:
        added["workers"] = median(scaled.ratios)
    if ratios:
        added["LiteLLM ratio"] = median(ratios)
    missed = any(row.full.failed or row.half.failed for row in rows) or any(full.failed for full in scaled.full)
    print()
    for name, value in added.items():
        at_least = name in ("LiteLLM ratio", "workers")
        good = value >= _GOALS[name] if at_least else value <= _GOALS[name]
        missed |= not good
        bound = "at least" if at_least else "at most"
        print(f"{name:16}{value:8.2f}   goal: {bound} {_GOALS[name]:g}{'' if good else '   MISSED'}")
    if ratios:
        print(f"\nLiteLLM takes {rows[3].full.cpu_ms / ours.full.cpu_ms:.1f} times the processor for a request")
        print(f"round by round sluice did {_listed(ratios)} times its requests a second")
    print(
        f"\nan app that only forwards takes 1/{ours.full.cpu_ms / bare.full.cpu_ms:.1f} of the gateway's processor, "
        f"and at half load {ours.half.median_ms - bare.half.median_ms:.1f} ms less"
    )
    at_full, at_half = undone
    print(f"\nleft undone after a hundred answers, so that the next is not late: {at_full}; at half load {at_half}")
    print("\nmemory of one worker: " + ", ".join(f"{mib:.0f} MiB after {asked:,}" for asked, mib in memory))
    for workers, full in zip(_WORKERS, scaled.full, strict=True):
        print(
            f"workers {workers}: {full.requests_per_second:.0f} requests/s, {full.failed} failed, "
            f"{full.cpu_ms:.2f} ms of a processor each"
        )
    rounds = _listed(scaled.ratios) or "cannot be said without root"
    print(f"with {_SHARE_OF_A_WORKER:g} of a processor each, round by round, two did as much as one times: {rounds}")
    print("without that bound, workers that share a processor can only take from each other")
    return 1 if missed else 0


def _listed(ratios: list[float]) -> str:
    return ", ".join(f"{ratio:.2g}" for ratio in ratios)


def _resident_mib(program: Program) -> float:
    """Return the resident memory of the largest process of a program: its worker."""
    return max(_resident(pid) for pid in program.pids)


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
