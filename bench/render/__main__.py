"""`python -m bench.render`: times `sluice render` on made registries, and counts the objects that it writes.

Every measurement is a process of its own, started as a person starts it. Goals are held to the seconds that a process
computed, which are all it takes where nothing else runs; both are printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.measured import fastest, measure
from bench.validate.made_registry import make_registry

_GOAL_SECONDS = 3.0
_SIZES = ((5, 7), (1_000, 1_000), (1_000, 10_000), (4_000, 4_000))
_HELD_TO_GOAL = (1_000, 1_000)


def main() -> int:
    """Measure, print, and return 1 where the goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.render", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each (default: 3)")
    options = parser.parse_args()
    missed = False
    print(f"{'sluice render dev':32}{'computed':>10}{'by clock':>10}{'memory':>12}{'files':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        for agents, models in _SIZES:
            registry = make_registry(Path(scratch) / f"{agents}-{models}", agents=agents, models=models).parent
            out = Path(scratch) / f"rendered-{agents}-{models}"
            command = [sys.executable, "-m", "sluice", "render", "dev", "--registry", str(registry), "--out", str(out)]
            best = fastest([measure(command) for _ in range(options.rounds)])
            took = f"{best.seconds:8.2f} s{best.clock_seconds:8.2f} s{best.memory_mib:8.0f} MiB"
            held = (agents, models) == _HELD_TO_GOAL
            goal = f"   goal: {_GOAL_SECONDS:g} s" if held else ""
            print(f"{f'{agents:,} agents, {models:,} models':32}{took}{len(list(out.iterdir())):8}{goal}", flush=True)
            missed = missed or (held and best.seconds > _GOAL_SECONDS)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
