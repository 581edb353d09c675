"""`python -m bench.deploy`: times production's first update, one with nothing to do and one of a flag.

Pulumi, helm and kubectl make the same objects in the local cluster, each in a namespace of its own, and take turns, so
that whatever else the machine does falls on all. Where Pulumi's time goes is measured beside it. Redis, Prometheus and
the providers are not there: a gateway and a guard are ready without them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.deploy.environment import STACK, benched_environment
from bench.deploy.processors import computed
from bench.deploy.tools import UPDATE, Tool, helm, kubectl, pulumi
from bench.stolen import stolen
from sluice.deploy.target import start_local_cluster, stop_local_cluster
from sluice.local import cluster
from sluice.local.folders import cache_folder, state_folder
from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import HELM
from sluice.progress import Progress

_GOAL_SECONDS = 5.0
_CREATE = "from nothing"
_NOTHING = "nothing to do"
_FLAGS = "one agent's flag"
_OTHER_BASELINES = ("claude-sonnet-4", "gpt-4o")


class Timed(NamedTuple):
    """Seconds by the clock, and what was stolen of the processor time that was wanted in them, a share."""

    seconds: float
    stolen: float


def main() -> int:
    """Measure, print, and return 1 where the goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.deploy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="updates with nothing to do, and of a flag")
    options = parser.parse_args()
    progress = Progress()
    ran_before = cluster.status(state_folder()).is_up
    start_local_cluster(progress)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            return _bench(Path(scratch), options.rounds, progress)
    finally:
        if not ran_before:
            stop_local_cluster(progress, purge=False)


def _bench(scratch: Path, rounds: int, progress: Progress) -> int:
    program = go_build.build((HELM,), cache_folder(), progress)[HELM] / HELM.binary
    environment = benched_environment(scratch)
    environment.run(["pulumi", "stack", "select", "--create", "--secrets-provider", "passphrase", "--stack", STACK])
    tools = (pulumi(environment), helm(environment, program, scratch), kubectl(environment, scratch))
    without_refresh = pulumi(environment, refresh=False)
    times: dict[str, dict[str, Timed]] = {_CREATE: {}, _NOTHING: {}, _FLAGS: {}}
    parts: dict[str, Timed] = {}
    take_kinds_away = environment.define_kinds()
    try:
        for tool in tools:
            with progress.step(f"{tool.name}, {_CREATE}"):
                _note(times[_CREATE], tool, tool.apply)
        for number in range(rounds):
            with progress.step(f"round {number + 1} of {rounds}"):
                for tool in tools:
                    _note(times[_NOTHING], tool, tool.apply)
                _best(parts, "pulumi, without --refresh", without_refresh.apply)
                environment.change_flags(_OTHER_BASELINES if number % 2 == 0 else ())
                for tool in tools:
                    _note(times[_FLAGS], tool, tool.apply)
        environment.run(UPDATE)  # after an odd number of rounds too, there is nothing to do
        programs = computed(environment.start(UPDATE))
    finally:
        take_away: list[Callable[[], None]] = [
            *(tool.remove for tool in tools),
            partial(environment.run, ["pulumi", "stack", "rm", "--yes", "--preserve-config", "--stack", STACK]),
            partial(environment.run, take_kinds_away),
        ]
        for step in take_away:
            try:
                step()
            except SystemExit as failed:  # of what was never made: why it was not is what should be read
                progress.say(str(failed))
    _print(times, parts, programs, tools)
    return 0 if times[_NOTHING]["pulumi"].seconds <= _GOAL_SECONDS else 1


def _note(times: dict[str, Timed], tool: Tool, apply: Callable[[], None]) -> None:
    tool.prepare()
    _best(times, tool.name, apply)


def _best(times: dict[str, Timed], name: str, does: Callable[[], None]) -> None:
    """Keep the shortest: it has the least of what else the machine did."""
    began = time.perf_counter()
    with stolen() as taken:
        does()
    timed = Timed(time.perf_counter() - began, taken.share)
    times[name] = min(timed, times.get(name, timed))


def _print(
    times: dict[str, dict[str, Timed]],
    parts: dict[str, Timed],
    programs: dict[str, float],
    tools: tuple[Tool, ...],
) -> None:
    print(f"{'':22}" + "".join(f"{tool.name:>24}" for tool in tools))
    for what, of_tools in times.items():
        least = of_tools["kubectl"].seconds
        of_each = [of_tools[tool.name] for tool in tools]
        cells = [f"{seconds:8.2f} s ({seconds / least:4.1f}; {share:3.0%})" for seconds, share in of_each]
        print(f"{what:22}" + "".join(f"{cell:>24}" for cell in cells))
    print(
        "\nthe least of all rounds, as a ratio to kubectl, and the share of the wanted processor time that was stolen;"
    )
    print("each waits for the pods")
    for tool in tools:
        print(f"  {tool.name}: {tool.title}")
    for part, timed in parts.items():
        print(f"  {part}, {_NOTHING}: {timed.seconds:.2f} s")
    total = sum(programs.values())
    print(f"\nwhat pulumi computes with {_NOTHING}: {total:.2f} s of a processor, nearly all of it one after the other")
    for name, seconds in sorted(programs.items(), key=lambda item: -item[1]):
        print(f"  {name:58}{seconds:6.2f} s")
    seconds, share = times[_NOTHING]["pulumi"]
    print(f"\npulumi with {_NOTHING}: {seconds:.2f} s (goal: {_GOAL_SECONDS:g} s), {share:.0%} stolen")


if __name__ == "__main__":
    sys.exit(main())
