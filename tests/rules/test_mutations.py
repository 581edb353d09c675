"""Tests of tests: a limit that is a tenth off, or a comparison turned round, is noticed by the alert's own cases.

A rule that can be changed without a test failing is a rule that nobody tests. Every comparison, every threshold and
every number of every alert is changed by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.render.alerts.errors import FAST_BURNS, SLOW_BURNS
from tests.rules.cases import CASES
from tests.rules.promtool import Expectation, ask, rules_for
from tests.rules.series import Case

pytestmark = pytest.mark.long

_COMPARISON = re.compile(r" (>=|<=|==|!=|>|<) ")
_LIMIT = re.compile(r"max(?: by \(agent\))? ?\(sluice_threshold\{[^}]*\}\)")
_NUMBER = re.compile(r" (?:>=|<=|==|!=|>|<) (?:on \(agent\) )?(\d+(?:\.\d+)?)")
_TURNED = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
_OFF = (0.9, 1.1)


def mutants(expression: str) -> Iterator[tuple[str, str]]:
    """Return what is changed, and the expression with it changed; a 0 stays what it is by a tenth."""
    for number, found in enumerate(_COMPARISON.finditer(expression), start=1):
        turned = f" {_TURNED[found[1]]} "
        yield f"comparison {number}, {found[1]}, turned", _with(expression, found.span(), turned)
    for factor in _OFF:
        for number, found in enumerate(_LIMIT.finditer(expression), start=1):
            yield f"limit {number} times {factor}", _with(expression, found.span(), f"({factor} * {found[0]})")
        for number, found in enumerate(_NUMBER.finditer(expression), start=1):
            if float(found[1]):
                changed = f"{float(found[1]) * factor:g}"
                yield f"number {number}, {found[1]}, times {factor}", _with(expression, found.span(1), changed)


def _with(text: str, span: tuple[int, int], other: str) -> str:
    return text[: span[0]] + other + text[span[1] :]


def expectations(case: Case) -> list[Expectation]:
    return [
        *(Expectation(name, series, fires=True) for name, series in case.firing.items()),
        *(Expectation(name, series, fires=False) for name, series in case.silent.items()),
        *(Expectation(name, series, fires=case.low_traffic_fires) for name, series in case.low_traffic.items()),
    ]


# Days of minutes, times every change: these take too long. They are written by what writes the fast ones.
_TOO_LONG = {"SluiceErrorBudgetSlowBurn", "SluiceLatencyBudgetSlowBurn"}


def test_the_speeds_are_those_of_the_sre_workbook() -> None:
    assert FAST_BURNS == ((14.4, "1h", "5m"), (6, "6h", "30m"))
    assert SLOW_BURNS == ((3, "1d", "2h"), (1, "3d", "6h"))


@pytest.mark.parametrize("alert", [alert for alert in CASES if alert not in _TOO_LONG])
def test_a_change_of_the_rule_is_noticed(alert: str, promtool: Path, tmp_path: Path) -> None:
    """All changed rules stand beside each other under names of their own: what they are computed from is the same."""
    case, groups = CASES[alert], rules_for(alert)
    rules = _alerts(groups)
    changed: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for place, rule in enumerate(rules):
        for what, expression in mutants(rule["expr"]):
            name = f"{alert}_{len(names)}_"
            names[name] = f"{what}: {expression}"
            changed += [
                {**each, "alert": name, "expr": expression if number == place else each["expr"]}
                for number, each in enumerate(rules)
            ]

    said = ask(
        promtool, tmp_path, case, expectations(case), [*groups, {"name": "changed", "rules": changed}], list(names)
    )

    unnoticed = [what for name, what in names.items() if name not in said]
    assert not unnoticed, "\n".join(unnoticed)


def test_every_alert_has_something_to_change_but_for_one_that_asks_whether_anything_is_there() -> None:
    without = [
        alert for alert in CASES if not any(True for rule in _alerts(rules_for(alert)) for _ in mutants(rule["expr"]))
    ]

    assert without == ["SluiceGatewayAbsent"]


def _alerts(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]
