from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.cli.main import run

pytestmark = pytest.mark.slow


PROJECT = Path(__file__).parent.parent.parent


def test_a_month_is_shown_by_agent_and_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "dev"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dev: a month by forecast, in dollars"
    assert lines[3].split() == ["qa", "50", "%", "3,000", "3.60", "22.50", "0.0024", "0.0150", "84", "%"]
    assert "training: $10.00 of $30, 33 %; people are told at 50 %" in lines


def test_programs_get_the_same_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "staging", "--format", "json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["fine_tuned_dollars"], found["under_the_cap"]) == (pytest.approx(36), True)
    assert [step["weight_percent"] for step in found["steps"]] == [0, 10, 25, 50, 75, 100]


def test_an_environment_that_is_not_there_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "prod"]) == 2
    assert 'no rollout is named "prod"' in capsys.readouterr().err


def test_a_small_study_is_printed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "study.html"

    assert run(["simulate", "--runs", "1", "--volume", "100", "--format", "json", "--html", str(page)]) == 0

    outcomes = json.loads(capsys.readouterr().out)
    assert {one["judge"].split(",")[0] for one in outcomes} == {"sluice", "Argo Rollouts", "Flagger"}
    assert page.read_text().count("<svg") == 2
