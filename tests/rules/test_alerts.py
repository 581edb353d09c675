"""Every alert in front of promtool: it fires, it is silent, it bears little traffic and series that are missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules.cases import CASES
from tests.rules.promtool import Expectation, ask, limits, metrics_of, rules_for
from tests.rules.series import Case, Series

TEXTS = Path(__file__).parent / "texts.yaml"


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("alert", CASES)
def test_the_alert_fires_and_is_silent(alert: str, promtool: Path, tmp_path: Path) -> None:
    case = CASES[alert]
    expected = [
        *(Expectation(f"fires: {name}", series, fires=True) for name, series in case.firing.items()),
        *(Expectation(f"is silent: {name}", series, fires=False) for name, series in case.silent.items()),
    ]

    assert ask(promtool, tmp_path, case, expected, rules_for(alert)) == ""


@pytest.mark.parametrize("alert", CASES)
def test_little_traffic_makes_no_noise_and_hides_no_fault(alert: str, promtool: Path, tmp_path: Path) -> None:
    case = CASES[alert]
    expected = [
        Expectation(f"little traffic: {name}", series, fires=case.low_traffic_fires)
        for name, series in case.low_traffic.items()
    ]

    assert ask(promtool, tmp_path, case, expected, rules_for(alert)) == ""


@pytest.mark.parametrize("alert", CASES)
def test_a_metric_that_is_missing_is_no_reason_to_fire_but_for_those_that_must_be_there(
    alert: str, promtool: Path, tmp_path: Path
) -> None:
    case = CASES[alert]

    assert ask(promtool, tmp_path, case, missing_one_by_one(case), rules_for(alert)) == ""


def missing_one_by_one(case: Case) -> list[Expectation]:
    whole: Series = {**limits(case.at_minutes, rules_for(case.alert)), **next(iter(case.firing.values()))}
    expected = []
    for metric in sorted(metrics_of(rules_for(case.alert))):
        left = {name: "_" if name.partition("{")[0] == metric else values for name, values in whole.items()}
        fires = metric in case.fires_without
        expected.append(Expectation(f"without {metric}", left, fires=fires))
    return expected


@pytest.mark.parametrize("alert", CASES)
def test_people_read_what_was_agreed(alert: str, promtool: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """tests/rules/texts.yaml holds every alert as it arrives; `--refresh-expected` writes it anew."""
    case = CASES[alert]
    series = next(iter(case.firing.values()))
    if pytestconfig.getoption("--refresh-expected"):
        known = yaml.safe_load(TEXTS.read_text()) if TEXTS.exists() else {}
        known[alert] = arrived(promtool, tmp_path, case, series)
        TEXTS.write_text(yaml.safe_dump(known, width=110))
    texts = yaml.safe_load(TEXTS.read_text())[alert]

    assert (
        ask(promtool, tmp_path, case, [Expectation("texts", series, fires=True, texts=texts)], rules_for(alert)) == ""
    )
    said = texts["exp_annotations"]
    assert set(said) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert re.search(r"\d", said["description"]), "a description says numbers"
    assert not re.search(r"<no value>|\bENV\b|\bNAMESPACE\b|NaN", " ".join(said.values()))


def arrived(promtool: Path, folder: Path, case: Case, series: Series) -> dict[str, Any]:
    """Return the alert as promtool says that it is, by expecting one that it is not."""
    nothing: dict[str, Any] = {"exp_labels": {}, "exp_annotations": {}}
    said = ask(promtool, folder, case, [Expectation("texts", series, fires=True, texts=nothing)], rules_for(case.alert))
    found = re.search(r"got:\[\s*\d*:?\s*Labels:\{(.*?)\}\s*Annotations:\{(.*?)\}\s*\]", said, re.DOTALL)
    assert found, said
    labels, annotations = (dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', part)) for part in found.groups())
    labels.pop("alertname")
    unescaped = {name: yaml.safe_load(f'"{value}"') for name, value in annotations.items()}
    return {"exp_labels": labels, "exp_annotations": unescaped}
