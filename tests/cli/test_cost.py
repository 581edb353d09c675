from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.deploy.cluster_access import ClusterUnreachable
from tests.rollout.made_prometheus import MadePrometheus, serving

pytestmark = pytest.mark.slow


PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever cluster this machine has is no part of these tests."""

    class _Target:
        def connect(self) -> None:
            raise ClusterUnreachable("made", "it does not answer", "start it")

    monkeypatch.setattr("sluice.cli.cost.target", lambda _: _Target())


def test_a_month_is_shown_by_agent_and_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "dev"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dev: a month by forecast, in dollars"
    assert lines[3].split() == ["qa", "50", "%", "3,000", "3.60", "22.50", "0.0024", "0.0150", "84", "%"]
    assert "training: $10.00 of $30, 33 %; past 25 %; people are told at 50 %" in lines
    assert "spent so far: not known; made: it does not answer; start it" in lines


@pytest.fixture
def prometheus() -> Iterator[MadePrometheus]:
    with serving(MadePrometheus(environment={"namespace": "sluice-dev"})) as made:
        yield made


def spend(made: MadePrometheus, fine_tuned: float, everything: float, agent: str = "all") -> None:
    for models, dollars in (("fine_tuned", fine_tuned), ("all", everything)):
        made.set("sluice_spend_dollars", datetime.now(UTC), dollars, agent=agent, window="month", models=models)


def test_what_was_spent_stands_beside_the_forecast(
    prometheus: MadePrometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    spend(prometheus, 12.5, 40.0)
    spend(prometheus, 2.0, 9.0, agent="qa")

    assert run(["cost", "dev", "--prometheus", prometheus.url]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("spent this month, to ") and line.endswith(": $12.50 of $50, 25 %") for line in lines)
    assert "  qa: 2.00 fine-tuned, 7.00 others" in lines
    assert any(line.endswith("$40.00 with the others' models") for line in lines)


def test_a_month_that_is_above_the_cap_exits_with_1(
    prometheus: MadePrometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    spend(prometheus, 100.5, 140.0)

    assert run(["cost", "dev", "--prometheus", prometheus.url, "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["actual"]["fine_tuned_dollars"], found["under_the_cap"]) == (100.5, False)


def test_a_prometheus_that_is_away_or_knows_nothing_leaves_the_forecast(
    prometheus: MadePrometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, why in (("http://127.0.0.1:9", "does not answer"), (prometheus.url, "knows no sluice_spend_dollars")):
        assert run(["cost", "dev", "--prometheus", url]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("spent so far: not known")]
        assert why in line


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
