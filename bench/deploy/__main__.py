"""`python -m bench.deploy`: times production's first update, one with nothing to do and one of a flag.

Pulumi, helm and kubectl make the same objects in the local cluster, each in a namespace of its own, and take turns, so
that whatever else the machine does falls on all. Where Pulumi's time goes is measured beside it. Redis and the
providers are not there: a gateway is ready without them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.deploy.environment import STACK, benched_environment
from bench.deploy.tools import Tool, helm, kubectl, pulumi
from sluice.deploy.target import start_local_cluster, stop_local_cluster
from sluice.local import cluster
from sluice.local.folders import cache_folder, state_folder
from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import HELM
from sluice.progress import Progress

_GOAL_SECONDS = 5.0
_NOTHING = "nothing to do"
_FLAGS = "one agent's flag"
_OTHER_BASELINES = ("claude-sonnet-4", "gpt-4o")


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
    times: dict[str, dict[str, float]] = {"from nothing": {}, _NOTHING: {}, _FLAGS: {}}
    parts: dict[str, float] = {}
    try:
        for tool in tools:
            _note(times["from nothing"], tool, tool.apply)
        for number in range(rounds):
            for tool in tools:
                _note(times[_NOTHING], tool, tool.apply)
            _best(parts, "without --refresh", without_refresh.apply)
            _best(parts, "the program alone, up to its first resource", lambda: environment.run(_PROGRAM))
            _best(parts, "pulumi itself, with the state and its passphrase", lambda: environment.run(_STATE))
            environment.change_flags(_OTHER_BASELINES if number % 2 == 0 else ())
            for tool in tools:
                _note(times[_FLAGS], tool, tool.apply)
    finally:
        for tool in tools:
            tool.remove()
        environment.run(["pulumi", "stack", "rm", "--yes", "--preserve-config", "--stack", STACK])
    _print(times, parts, tools)
    return 0 if times[_NOTHING]["pulumi"] <= _GOAL_SECONDS else 1


_PROGRAM = [
    sys.executable,
    "-c",
    "import stacks.environment as e; from pathlib import Path; e._wanted(Path.cwd(), 'production')",
]
_STATE = ["pulumi", "stack", "output", "--stack", STACK, "--non-interactive"]


def _note(times: dict[str, float], tool: Tool, apply: Callable[[], None]) -> None:
    tool.prepare()
    _best(times, tool.name, apply)


def _best(times: dict[str, float], name: str, does: Callable[[], None]) -> None:
    """Keep the shortest: it has the least of what else the machine did."""
    began = time.perf_counter()
    does()
    times[name] = min(time.perf_counter() - began, times.get(name, float("inf")))


def _print(times: dict[str, dict[str, float]], parts: dict[str, float], tools: tuple[Tool, ...]) -> None:
    print(f"{'':22}" + "".join(f"{tool.name:>18}" for tool in tools))
    for what, of_tools in times.items():
        least = of_tools["kubectl"]
        cells = [f"{of_tools[tool.name]:8.2f} s ({of_tools[tool.name] / least:4.1f})" for tool in tools]
        print(f"{what:22}" + "".join(f"{cell:>18}" for cell in cells))
    print("\nin seconds, and as a ratio to kubectl; each waits for the pods of the gateway")
    for tool in tools:
        print(f"  {tool.name}: {tool.title}")
    print(f"\nwhere pulumi's {times[_NOTHING]['pulumi']:.2f} s with nothing to do go (goal: {_GOAL_SECONDS:g} s)")
    for part, seconds in parts.items():
        print(f"  {part:52}{seconds:6.2f} s")


if __name__ == "__main__":
    sys.exit(main())
