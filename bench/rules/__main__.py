"""`python -m bench.rules`: how long Debian's Prometheus computes all rules for 5, 100 and 1,000 agents.

The series are those of a real gateway that has answered, repeated for each agent, with an hour of made history. Every
group is computed every 15 seconds here, so that none is missed; in an environment most wait a minute or five. Seconds
are Prometheus' own, by the clock, of the last time that it computed each group: run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.gateway.folder import AGENT
from bench.gateway.processes import running_gateway, running_redis, running_stub
from bench.gateway.programs import Program, free_port, running
from bench.gateway.share import halves
from bench.gateway.unpacked import peers
from bench.rules.history import NAMESPACE, Template, templates, write
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.monitoring_programs import MonitoringPrograms, ensure_monitoring_programs
from sluice.progress import Progress
from sluice.registry import load_environment
from sluice.render.alerts import rule_groups

_SIZES = (5, 100, 1_000)
_EVERY_SECONDS = 15
_GOAL_SHARE = 0.5
"""Of its interval, what a group may take at 1,000 agents: beyond it Prometheus begins to skip."""
_PATIENCE_SECONDS = 400
_METRIC = re.compile(r"\bsluice_[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of rules: its interval in an environment, and the seconds that it took."""

    name: str
    interval_seconds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: samples of history, what Prometheus says of its groups, its memory, and an agent's recorded series."""

    samples: int
    groups: tuple[Group, ...]
    memory_mib: float
    recorded_of_an_agent: int
    alerts: int


def main() -> int:
    """Measure, print, and return 1 where a group takes too much of its interval."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--agents", type=int, nargs="+", default=_SIZES, help="how many agents (default: 5 100 1000)")
    options = parser.parse_args()
    programs = ensure_monitoring_programs(cache_folder(), Progress())
    rules = _rules()
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        series = _series_of_a_gateway(Path(folder))
        _print_series(series)
        print(f"{'agents':>8}{'samples':>12}{'all groups':>13}{'memory':>10}{'alerts':>8}   the longest")
        for agents in options.agents:
            found = _measure(Path(folder, str(agents)), programs, rules, series, agents)
            longest = max(found.groups, key=lambda group: group.seconds / group.interval_seconds)
            total = sum(group.seconds for group in found.groups)
            print(
                f"{agents:8,}{found.samples:12,}{total:11.3f} s{found.memory_mib:6.0f} MiB{found.alerts:8,}   "
                f"{longest.name}: {longest.seconds:.3f} s of every {longest.interval_seconds} s",
                flush=True,
            )
            missed = missed or longest.seconds > _GOAL_SHARE * longest.interval_seconds
    print(f"recorded series of an agent: {found.recorded_of_an_agent}")
    return 1 if missed else 0


def _rules() -> list[dict[str, Any]]:
    settings = load_environment(PROJECT, "dev").settings
    return rule_groups(replace(settings, namespace=NAMESPACE))


def _series_of_a_gateway(scratch: Path) -> tuple[Template, ...]:
    """Return the series that a gateway shows of an agent whose both arms have answered."""
    images = peers(with_litellm=False)
    with (
        running_stub(scratch, images.stub) as stub,
        running_redis(scratch) as redis_port,
        running_gateway(scratch, images.gateway, stub, redis_port, halves()) as gateway,
    ):
        for number in range(40):
            body = {"model": AGENT, "user": f"user-{number}", "messages": [{"role": "user", "content": "Hello"}]}
            _call(f"{gateway.url}/v1/chat/completions", json.dumps(body).encode())
        environment = Path(f"/proc/{gateway.process.pid}/environ").read_text().split("\0")
        port = next(one.partition("=")[2] for one in environment if one.startswith("SLUICE_GATEWAY_METRICS_PORT="))
        time.sleep(3)  # what comes after an answer, its score among it, is counted by then
        return templates(_call(f"http://127.0.0.1:{port}/metrics").decode(), AGENT)


def _print_series(series: tuple[Template, ...]) -> None:
    of_a_kind = Counter(re.sub(r"_(bucket|sum|count|total)$", "", one.name) for one in series)
    most = ", ".join(f"{count} {name}" for name, count in of_a_kind.most_common(5))
    print(f"series of an agent on each gateway pod: {len(series)} ({most})")


def _measure(
    folder: Path,
    programs: MonitoringPrograms,
    rules: list[dict[str, Any]],
    series: tuple[Template, ...],
    agents: int,
) -> Measured:
    folder.mkdir()
    read = {name for group in rules for rule in group["rules"] for name in _METRIC.findall(rule["expr"])}
    with (folder / "history").open("w") as file:
        samples = write(file, series, read, agents, int(time.time()))
    made = [str(folder / name) for name in ("history", "data")]
    command = [str(programs.promtool), "tsdb", "create-blocks-from", "openmetrics", *made]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (folder / "history").unlink()
    often = [{**group, "interval": f"{_EVERY_SECONDS}s"} for group in rules]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": often}))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({"rule_files": [str(folder / "rules.yaml")]}))
    port = free_port()
    started = [
        str(programs.prometheus),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(started, port, folder / "log", path="/-/ready") as prometheus:
        groups = _last_durations(prometheus, {group["name"]: _seconds(group["interval"]) for group in rules})
        recorded = _asked(prometheus, 'count({__name__=~"sluice:.+", agent="agent-1"})')
        alerts = _asked(prometheus, "count(ALERTS) or vector(0)")
        return Measured(samples, groups, _resident_mib(prometheus), recorded, alerts)


def _last_durations(prometheus: Program, intervals: dict[str, int]) -> tuple[Group, ...]:
    """Wait until every group was computed twice, and return what the last time took."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < ends:
        times = _by_group(prometheus, "prometheus_rule_evaluations")
        per_group = _by_group(prometheus, "prometheus_rule_group_rules")
        if per_group and all(times.get(name, 0) >= 2 * count for name, count in per_group.items()):
            last = _by_group(prometheus, "prometheus_rule_group_last_duration_seconds")
            failed = sum(_by_group(prometheus, "prometheus_rule_evaluation_failures").values())
            if failed:
                sys.exit(f"{failed:.0f} computations failed")
            return tuple(Group(name, intervals[name], seconds) for name, seconds in last.items())
        time.sleep(2)
    sys.exit(f"not every group was computed twice within {_PATIENCE_SECONDS} seconds")


def _by_group(prometheus: Program, metric: str) -> dict[str, float]:
    page = _call(f"{prometheus.url}/metrics").decode()
    return {
        sample.labels["rule_group"].rpartition(";")[2]: sample.value
        for family in text_string_to_metric_families(page)
        if family.name == metric
        for sample in family.samples
    }


def _asked(prometheus: Program, query: str) -> int:
    found = json.loads(_call(f"{prometheus.url}/api/v1/query", f"query={urllib.parse.quote(query)}".encode()))
    return int(found["data"]["result"][0]["value"][1])


def _call(url: str, body: bytes | None = None) -> bytes:
    kind = "application/json" if body and body.startswith(b"{") else "application/x-www-form-urlencoded"
    request = urllib.request.Request(url, data=body, headers={"content-type": kind})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: bytes = answer.read()
        return found


def _seconds(interval: str) -> int:
    return int(interval[:-1]) * {"s": 1, "m": 60}[interval[-1]]


def _resident_mib(program: Program) -> float:
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
