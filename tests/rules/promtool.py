"""Asks promtool what becomes of an alert in a situation: the rules are those that an environment is rendered with."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.registry import load_environment
from sluice.render.alerts import rule_groups
from sluice.render.thresholds import thresholds
from tests.rules.series import Case, Series, flat

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "production"
DECLARED = load_environment(PROJECT, ENVIRONMENT)
NAMESPACE = DECLARED.settings.namespace
GROUPS: list[dict[str, Any]] = rule_groups(DECLARED.settings)

_RECORDED = re.compile(r"\bsluice:[a-zA-Z0-9_:]+")
_NAMED = re.compile(r"""name=["'\\]*([a-z0-9_]+)""")
METRIC = re.compile(r"\bsluice_[a-zA-Z0-9_]+")


@dataclass(frozen=True)
class Expectation:
    """A situation, and whether the alert fires in it; `texts`, where what it says is compared, too."""

    name: str
    series: Series
    fires: bool
    texts: Mapping[str, Any] | None = None


def limits(minutes: int, groups: Iterable[dict[str, Any]]) -> Series:
    """The registry's thresholds that rules name, as each gateway shows them, for two agents and for all together."""
    rendered: Any = thresholds(DECLARED.registry)
    named_there = set(_NAMED.findall(json.dumps(list(groups))))
    values = {"qa": rendered["usual"], "legal": rendered["usual"], "all": rendered["budgets"]}
    return {
        f'sluice_threshold{{agent="{agent}", name="{name}"}}': flat(value, minutes)
        for agent, named in values.items()
        for name, value in named.items()
        if name in named_there
    }


def rules_for(alert: str, groups: list[dict[str, Any]] = GROUPS) -> list[dict[str, Any]]:
    """Return the groups with an alert's own rules and what they are computed from, and nothing else."""
    recorded = {rule["record"]: rule for group in groups for rule in group["rules"] if "record" in rule}
    wanted: set[str] = set()
    waiting = [rule["expr"] for group in groups for rule in group["rules"] if rule.get("alert") == alert]
    assert waiting, f"there is no alert {alert}"
    while waiting:
        for name in set(_RECORDED.findall(waiting.pop())) - wanted:
            wanted.add(name)
            waiting.append(recorded[name]["expr"])
    kept = [
        {
            **group,
            "rules": [rule for rule in group["rules"] if rule.get("alert") == alert or rule.get("record") in wanted],
        }
        for group in groups
    ]
    return [group for group in kept if group["rules"]]


def metrics_of(groups: Iterable[dict[str, Any]]) -> set[str]:
    """Return the metrics that rules read."""
    return {name for group in groups for rule in group["rules"] for name in METRIC.findall(rule["expr"])}


def ask(
    promtool: Path,
    folder: Path,
    case: Case,
    expected: Sequence[Expectation],
    groups: list[dict[str, Any]],
    names: Sequence[str] = (),
) -> str:
    """Return what promtool finds different from what is expected; nothing where all is as it should be.

    The same is expected of each of `names`, where the groups hold the alert under others than its own.
    """
    rules, tests = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(json.dumps({"groups": groups}))
    tests.write_text(
        json.dumps(
            {
                "rule_files": [rules.name],
                "evaluation_interval": f"{case.every_minutes}m",
                "group_eval_order": [group["name"] for group in groups],
                "tests": [
                    _test(case, one, limits(case.at_minutes, groups), names or (case.alert,)) for one in expected
                ],
            }
        )
    )
    ran = subprocess.run(
        [str(promtool), "test", "rules", tests.name], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0 or "FAILED" in ran.stdout + ran.stderr, ran.stderr
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def _test(case: Case, expected: Expectation, limited: Series, names: Sequence[str]) -> dict[str, Any]:
    at = f"{case.at_minutes}m"
    firing = 'count(ALERTS{{alertname="{}", alertstate="firing"}}) or vector(0)'
    test: dict[str, Any] = {
        "name": f"{case.alert}: {expected.name}",
        "interval": "1m",
        "input_series": [
            {"series": _placed(series), "values": values} for series, values in {**limited, **expected.series}.items()
        ],
        "promql_expr_test": [
            {
                "expr": firing.format(name),
                "eval_time": at,
                "exp_samples": [{"labels": "{}", "value": float(expected.fires)}],
            }
            for name in names
        ],
    }
    if expected.texts is not None:
        test["alert_rule_test"] = [{"alertname": case.alert, "eval_time": at, "exp_alerts": [dict(expected.texts)]}]
    return test


def _placed(series: str) -> str:
    """Put a series into the environment's namespace, and into a pod unless it names one."""
    name, _, labels = series.partition("{")
    given = labels.rstrip("}")
    pod = "" if "pod=" in given else ', pod="gateway-1"'
    return f'{name}{{namespace="{NAMESPACE}"{pod}{", " if given else ""}{given}}}'
