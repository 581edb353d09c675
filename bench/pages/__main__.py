"""`python -m bench.pages`: for every alert, how long it takes from a fault until somebody is told, and of its end.

Prometheus' own engine evaluates production's rules in made time (promtool), from a fault that comes at once and whole.
To that is added what Alertmanager waits by production's routes. Writes docs/paging.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.pages.clocked import Clocked, clock, load
from bench.pages.faults import FAULTS, NOT_CLOCKED, Fault
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.monitoring_programs import ensure_monitoring_programs
from sluice.progress import Progress
from sluice.render.alerts import ALERTS, alertmanager_text
from sluice.render.alerts.rule import Severity

PAGE = "docs/paging.md"
_HEAD = """# From a fault to a page

Made by `make pages`, not by hand. For every alert that tells somebody: a fault that comes at once and whole, to an
agent that answers ten times a minute with either arm; how long until somebody is told, and how long after its
mending, five minutes after the alert fired, until its end is told. "Told" is a page for a critical alert, a message
to Slack for a warning.

Prometheus' own engine evaluates production's rules with their own windows and waits, in made time: promtool, a sample
every 30 seconds, half as often as pods are scraped, every minute where rules look back at days. To that is added what
Alertmanager waits by production's routes:

{routes}

An end is told at the latest then, where the same agent has nothing else. What is recorded every minute or five
(`sluice-hours`, `sluice-days`) may be that much later. A smaller fault takes longer. Alerts over a day and more are
about means of that day: they are slow by their nature, and tell of no emergency. Not in the table:

{missing}

`make operators` has real ones beside it (`tests/live/test_prometheus_operator.py`): prometheus-operator makes pods of a
Prometheus and an Alertmanager, which take rules and routes as they are rendered. Then, with every duration a thirtieth
of what it is, an hour passes in which nobody is told, and real faults set off nine alerts, each told, paged where it is
critical, and told to be over; with what the same faults bring besides, people were told of twenty. In minutes of that
time, on a machine that did other things: errors 6, the breaker 8, fall-backs 13, latency 17, quality 32, an override 3,
the guard 10, Redis 5, the gateway 6.

| alert | severity | fault | told after | its end told after |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that Alertmanager waits before it tells of an agent first, and before it tells what has changed."""

    first: float
    change: float


def main() -> int:
    """Clock every fault and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--out", type=Path, default=PROJECT / PAGE, help=f"the file (default: {PAGE})")
    options = parser.parse_args()
    promtool = ensure_monitoring_programs(cache_folder(), Progress()).promtool
    environment = load(PROJECT)
    waits = waits_of(alertmanager_text(environment.settings))
    rows = []
    for number, fault in enumerate(FAULTS, start=1):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(fault, clock(promtool, Path(folder), fault, environment), waits))
        print(f"{number} of {len(FAULTS)}: {rows[-1]}", file=sys.stderr, flush=True)
    options.out.write_text(head(waits) + "\n".join(rows) + "\n")
    return 0


def head(waits: dict[Severity, Waits]) -> str:
    """Return the page but for its rows."""
    routes = "\n".join(
        f"- {severity}: {shown(one.first)} for what is new, {shown(one.change)} for what has changed"
        for severity, one in waits.items()
    )
    missing = "\n".join(f"- `{alert}`: {why}" for alert, why in NOT_CLOCKED.items())
    return _HEAD.format(routes=routes, missing=missing)


def row(fault: Fault, found: Clocked, waits: dict[Severity, Waits]) -> str:
    """Return a line of the table."""
    severity = next(alert.severity for alert in ALERTS if alert.name == fault.alert)
    page = f"[{fault.alert}](runbooks/{fault.alert}.md)"
    told, over = found.fires_after + waits[severity].first, found.silent_after + waits[severity].change
    return f"| {page} | {severity} | {fault.what} | {shown(told)} | {shown(over)} |"


def waits_of(text: str) -> dict[Severity, Waits]:
    """Read what Alertmanager waits from its configuration."""
    route: dict[str, Any] = yaml.safe_load(text)["route"]
    found = {}
    for severity in (Severity.CRITICAL, Severity.WARNING):
        own = next(one for one in route["routes"] if f'severity="{severity}"' in one["matchers"])
        first, change = ({**route, **own}[name] for name in ("group_wait", "group_interval"))
        found[severity] = Waits(_seconds(first), _seconds(change))
    return found


def shown(seconds: float) -> str:
    """Return a time as people say it: seconds below two minutes, days above two days."""
    for unit, size, above in (("d", 86_400, 172_800), ("h", 3_600, 7_200), ("min", 60, 120)):
        if seconds >= above:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"


def _seconds(duration: str) -> float:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


if __name__ == "__main__":
    sys.exit(main())
