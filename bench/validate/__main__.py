"""`python -m bench.validate`: times sluice validate on made registries, and check-jsonschema on the same file.

Every measurement is a process of its own, started as a person starts it, and the peer's alternate with ours, so that
whatever else the machine does falls on both. The best of the rounds is compared: it has the least of that in it. Goals
are held to the seconds that a process computed, which are all it takes where nothing else runs; both are printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.measured import PROJECT, Measured, fastest, measure
from bench.validate.made_registry import make_registry

_SCHEMA = PROJECT / "registry" / "schema" / "models.schema.json"
_LEAST_RATIO = 5.0


def main() -> int:
    """Measure, print, and return 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.validate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each (default: 3)")
    parser.add_argument("--peer-rounds", type=int, default=2, help="of the peer, which is slow (default: 2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        large = make_registry(Path(scratch) / "large", agents=1_000, models=10_000)
        small = make_registry(Path(scratch) / "small", agents=5, models=7)
        wrong = make_registry(Path(scratch) / "wrong", agents=1_000, models=10_000)
        wrong.write_text(wrong.read_text().replace("score: 8.05", "score: 80.5", 1))
        print(f"1,000 agents, 10,000 models: {large.stat().st_size / 2**20:.1f} MiB of YAML\n", flush=True)
        ours, peers = [], []
        for turn in range(max(options.rounds, options.peer_rounds)):
            if turn < options.rounds:
                ours.append(measure(_validate(large.parent), expected=0))
            if turn < options.peer_rounds:
                peers.append(measure(_check_jsonschema(large), expected=0))
        rows = [
            ("sluice validate, 5 agents", _best(_validate(small.parent), options.rounds, 0), 0.3, 300.0),
            ("sluice validate, 1,000 agents", fastest(ours), 2.0, 300.0),
            ("the same with one mistake", _best(_validate(wrong.parent), options.rounds, 1), 2.0, 300.0),
            ("check-jsonschema, its models.yaml", fastest(peers), None, None),
        ]
    print(f"{'':36}{'computed':>10}{'by clock':>10}{'memory':>12}")
    ratio = fastest(peers).seconds / fastest(ours).seconds
    missed = ratio < _LEAST_RATIO
    for name, measured, seconds, memory in rows:
        over = (seconds is not None and measured.seconds > seconds) or (
            memory is not None and measured.memory_mib > memory
        )
        missed = missed or over
        goals = ", ".join(f"{goal:g} {unit}" for goal, unit in ((seconds, "s"), (memory, "MiB")) if goal is not None)
        took = f"{measured.seconds:8.2f} s{measured.clock_seconds:8.2f} s{measured.memory_mib:8.0f} MiB"
        print(f"{name:36}{took}   {f'goal: {goals}' if goals else ''}")
    print(f"\nratio to check-jsonschema: {ratio:.1f} (goal: {_LEAST_RATIO:g})")
    return 1 if missed else 0


def _validate(folder: Path) -> list[str]:
    return [sys.executable, "-m", "sluice", "validate", str(folder)]


def _check_jsonschema(file: Path) -> list[str]:
    return [sys.executable, "-m", "check_jsonschema", "--schemafile", str(_SCHEMA), str(file)]


def _best(command: list[str], rounds: int, expected: int) -> Measured:
    return fastest([measure(command, expected=expected) for _ in range(rounds)])


if __name__ == "__main__":
    sys.exit(main())
