"""`python -m bench.first_minute`: how soon a candidate that always fails is sent back, in a thousand made rollouts.

100,000 requests a day, 10 % of users on the candidate, two pods, by the guard's own queries and gates over counters
that are scraped. Every rollout is made from its number: the same command prints the same table. It is that of
docs/gates.md, by the pace at which an environment is scraped and looked at, or by others that are asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy

from bench.first_minute.failing import PATIENCE_SECONDS, Failing, Pace
from sluice.registry.prometheus_settings import SCRAPED_EVERY_SECONDS
from sluice.rollout.guard.running import AGAIN_AFTER_SECONDS, ROUND_EVERY_SECONDS

GOOD = {"from its first user on": 0, "after ten good minutes": 600, "after a good hour": 3600}
_HEAD = """| scraped, looked at, a suspect again | it fails | middle | 95 % | at most | in less than 60 s |
|---|---|---|---|---|---|"""
_WANTED_SECONDS = 60
_AT_A_TIME = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_minute", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="rollouts of each row (default: 1000)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    of_a_pace = {
        "scraped": ("seconds between scrapes", SCRAPED_EVERY_SECONDS),
        "look": ("seconds between the guard's looks", int(ROUND_EVERY_SECONDS)),
        "again": ("seconds until it looks at a suspect again", int(AGAIN_AFTER_SECONDS)),
    }
    for name, (what, default) in of_a_pace.items():
        parser.add_argument(f"--{name}", type=int, nargs="+", default=[default], help=f"{what} (default: {default})")
    options = parser.parse_args(arguments)
    if min(options.runs, options.jobs, *options.scraped, *options.look, *options.again) < 1:
        parser.error("each of these is at least 1")
    paces = [Pace(*one) for one in product(options.scraped, options.look, options.again)]
    print(_HEAD, flush=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        for fails, good_seconds in GOOD.items():
            seconds = partial(_seconds, good_seconds=good_seconds, paces=paces)
            found = list(pool.map(seconds, range(options.runs), chunksize=_AT_A_TIME))
            for pace, of_pace in zip(paces, zip(*found, strict=True), strict=True):
                print(row(fails, pace, of_pace), flush=True)
    return 0


def row(fails: str, pace: Pace, seconds: Sequence[float | None]) -> str:
    """Return a line of the table."""
    values = [PATIENCE_SECONDS if one is None else one for one in seconds]
    middle, most_of_them, longest = numpy.quantile(values, (0.5, 0.95, 1.0))
    at_most = f"{longest:.0f} s" if None not in seconds else f"more than {PATIENCE_SECONDS} s"
    soon = sum(value < _WANTED_SECONDS for value in values)
    cells = (
        f"{pace.scrape}, {pace.look}, {pace.again} s", fails, f"{middle:.0f} s", f"{most_of_them:.0f} s", at_most,
        f"{soon:,} of {len(values):,}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _seconds(number: int, good_seconds: int, paces: Sequence[Pace]) -> list[float | None]:
    return Failing(number, good_seconds).seconds_until_verdict(paces)


if __name__ == "__main__":
    sys.exit(main())
