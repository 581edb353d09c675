"""How long Prometheus' own engine takes from a fault to a firing alert, in made time: promtool evaluates the rules.

Samples come every 30 seconds, half as often as pods are scraped, or every minute where days are looked back at.
Windows, waits and limits are those of production; nothing is divided. promtool evaluates every group alike often, so
that what is recorded every minute or five may be that much later.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.pages.faults import DAY, Fault
from bench.pages.series import Gauge, Phases, Series, written
from sluice.registry import Environment, load_environment
from sluice.render.alerts import rule_groups
from sluice.render.thresholds import thresholds

_RECORDED: Final = re.compile(r"\bsluice:[a-zA-Z0-9_:]+")
_SCRAPED_SECONDS: Final = 30
_MENDED_AFTER_MINUTES: Final = 5
_LONG: Final = 2 * DAY


@dataclass(frozen=True, slots=True)
class Clocked:
    """Seconds from the fault to the first firing alert, and from its mending to the last."""

    fires_after: float
    silent_after: float


class NotAsItShould(Exception):
    """An alert fired before its fault, or did not fire, or did not end: what the table would say is not true."""

    def __init__(self, fault: Fault, what: str) -> None:
        super().__init__(f"{fault.alert}: {fault.what}: {what}")


def clock(promtool: Path, folder: Path, fault: Fault, environment: Environment) -> Clocked:
    """Find both; the fault is mended five minutes after its alert fired, as by somebody who was told.

    Raises NotAsItShould.
    """
    begins = fault.before_minutes
    unmended = Phases(begins, begins + fault.at_the_most_minutes, begins + fault.at_the_most_minutes)
    first, _ = _firing(promtool, folder, fault, environment, unmended)
    if first is None:
        raise NotAsItShould(fault, f"does not fire within {fault.at_the_most_minutes} minutes")
    if first <= 60 * begins:
        raise NotAsItShould(fault, "fires before there is a fault")
    mended = round(first / 60) + _MENDED_AFTER_MINUTES
    ends = mended + fault.at_the_most_minutes
    _, last = _firing(promtool, folder, fault, environment, Phases(begins, mended, ends))
    if last is None or last >= 60 * ends - 2 * fault.every_seconds:
        raise NotAsItShould(fault, "fires on after it was mended")
    return Clocked(first - 60 * begins, max(0, last + fault.every_seconds - 60 * mended))


def _firing(
    promtool: Path, folder: Path, fault: Fault, environment: Environment, phases: Phases
) -> tuple[float | None, float | None]:
    """Return the first and the last second at which the alert fires."""
    rules = _rules_for(fault.alert, rule_groups(environment.settings))
    (folder / "rules.json").write_text(json.dumps({"groups": rules}))
    # The longest ones look at days, five minutes at a time: a sample a minute is enough for those.
    step = 2 * _SCRAPED_SECONDS if fault.before_minutes >= _LONG else _SCRAPED_SECONDS
    minutes = [number * step / 60 for number in range(60 * phases.ends // step + 1)]
    series = {**_limits(environment, json.dumps(rules)), **fault.series}
    firing = f'timestamp(ALERTS{{alertname="{fault.alert}", alertstate="firing"}})'
    over = f"[{phases.ends}m:{fault.every_seconds}s]"
    asked = [f"min(min_over_time({firing}{over}))", f"max(max_over_time({firing}{over}))"]
    test = {
        "interval": f"{step}s",
        "input_series": [
            {"series": _placed(name, environment.settings.namespace), "values": written(one.samples(minutes, phases))}
            for name, one in series.items()
        ],
        # What is expected is never so: promtool then says what is.
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{phases.ends}m", "exp_samples": [{"labels": "{}", "value": -1}]}
            for expression in asked
        ],
    }
    (folder / "tests.json").write_text(
        json.dumps(
            {
                "rule_files": ["rules.json"],
                "evaluation_interval": f"{fault.every_seconds}s",
                "group_eval_order": [group["name"] for group in rules],
                "tests": [test],
            }
        )
    )
    command = [str(promtool), "test", "rules", "tests.json"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = ran.stdout + ran.stderr
    found = [re.search(r"[\d.]+(?:E[+-]?\d+)?$", one.strip()) for one in re.findall(r"got:(.*)", said)]
    if len(found) != len(asked):
        raise NotAsItShould(fault, said)
    first, last = (None if one is None else float(one[0]) for one in found)
    return first, last


def _rules_for(alert: str, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the alert and what it is computed from, and nothing else, in their groups."""
    recorded = {rule["record"]: rule for group in groups for rule in group["rules"] if "record" in rule}
    wanted: set[str] = set()
    waiting = [rule["expr"] for group in groups for rule in group["rules"] if rule.get("alert") == alert]
    while waiting:
        for name in set(_RECORDED.findall(waiting.pop())) - wanted:
            wanted.add(name)
            waiting.append(recorded[name]["expr"])
    kept = (
        {**group, "rules": [one for one in group["rules"] if one.get("alert") == alert or one.get("record") in wanted]}
        for group in groups
    )
    return [group for group in kept if group["rules"]]


def _limits(environment: Environment, rules: str) -> Series:
    """Return the registry's limits that the rules name, as each gateway shows them."""
    rendered: Any = thresholds(environment.registry)
    return {
        f'sluice_threshold{{agent="{agent}", name="{name}"}}': Gauge(value, value)
        for agent, values in {"qa": rendered["usual"], "all": rendered["budgets"]}.items()
        for name, value in values.items()
        if name in rules
    }


def _placed(series: str, namespace: str) -> str:
    name, _, labels = series.partition("{")
    given = [f'namespace="{namespace}"', "" if "pod=" in labels else 'pod="gateway-1"', labels.rstrip("}")]
    return f"{name}{{{', '.join(filter(None, given))}}}"


def load(project: Path) -> Environment:
    """Return the environment that people are paged for."""
    return load_environment(project, "production")
