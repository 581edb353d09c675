"""`sluice status`: what it shows, and its exit codes. What it finds is tests/deploy's matter."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.deploy.cluster_access import ClusterUnreachable
from sluice.deploy.drift import Difference
from sluice.deploy.fares import Fare, Fares
from sluice.deploy.status import AgentStatus, Status
from sluice.override import Override
from sluice.rollout import record_of
from sluice.rollout.outlook import outlook_of
from tests.rollout.examples import NOW, arm, case, dear, measured, period

FINE = Status(
    "dev",
    "sluice-dev",
    is_there=True,
    pods={"gateway-1": True},
    agents=(AgentStatus("qa", "qa-20251031", 10, 100, (10.0,)), AgentStatus("legal", None, 0, 100, (0.0,))),
)
DRIFT = Difference("Deployment", "gateway", "spec.replicas", "1", "0", "kubectl-scale", "2026-11-21T16:00:00Z")


BEGAN = NOW - timedelta(days=1)
WAITING = record_of(case(measured(period(arm(12), dear(900, failed=9), began=BEGAN)), since=BEGAN))
MEASURED = Fares(
    {"qa": Fare("qa", timedelta(days=1), arm(12), dear(900, failed=9), WAITING, outlook_of(WAITING))}, month_dollars=3.2
)


@pytest.fixture
def fares(monkeypatch: pytest.MonkeyPatch) -> list[Fares]:
    """What is measured; by default there is no Prometheus."""
    results = [Fares(why_not="there is none", is_named=False)]

    class _Faring:
        def __init__(self, *_: Any) -> None:
            """Measure nothing."""

        def look(self, *_: Any) -> Fares:
            return results[0]

    monkeypatch.setattr("sluice.cli.status.Faring", _Faring)
    return results


@pytest.fixture(autouse=True)
def found(fares: list[Fares], monkeypatch: pytest.MonkeyPatch) -> list[Status | Exception]:
    """What a look finds."""
    results: list[Status | Exception] = [FINE]

    class _Target:
        def connect(self) -> None:
            """Connect to nothing."""

    def status(*_: Any) -> Status:
        result = results[0]
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr("sluice.cli.status.target", lambda _: _Target())
    monkeypatch.setattr("sluice.cli.status.status_of", status)
    return results


def test_a_cluster_that_is_what_git_says_exits_with_0(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status"]) == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert " ".join(lines[-3]) == "not measured: there is none"
    assert lines[0] == ["agent", "candidate", "wanted", "allowed", "served"]
    assert lines[1] == ["qa", "qa-20251031", "10", "100", "10"]
    assert lines[2] == ["legal", "-", "0", "100", "0"]
    assert " ".join(lines[-1]) == "the cluster is what git says"


def test_drift_is_shown_with_what_mends_it_and_exits_with_1(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    found[0] = replace(FINE, differences=(DRIFT,))

    assert run(["status", "dev"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "drift: deployment/gateway: spec.replicas is 0, and git says 1 (kubectl-scale, 2026-11-21T16:00:00Z)",
        "`sluice up dev` makes it as git says",
    ]


def test_an_override_is_shown_with_who_set_it_and_why(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    overridden = AgentStatus("qa", "qa-20251031", 10, 0, (0.0,))
    found[0] = replace(FINE, agents=(overridden,), overrides={"qa": Override(0, "ada", "slow", "", "at four")})

    assert run(["status"]) == 1
    output = capsys.readouterr().out
    assert "overridden" in output
    assert "override: qa at most 0 % (ada, at four, slow)" in output


def test_what_could_not_be_seen_is_said(found: list[Status | Exception], capsys: pytest.CaptureFixture[str]) -> None:
    found[0] = replace(FINE, unseen=("namespace/sluice-dev",))

    assert run(["status"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "not looked at, for want of the right to read: namespace/sluice-dev",
        "the rest is what git says",
    ]


def test_an_environment_that_is_not_there_says_how_to_put_it_there(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    found[0] = Status("dev", "sluice-dev", is_there=False)

    assert run(["status"]) == 1
    assert capsys.readouterr().out == "nothing of dev is in this cluster; `sluice up dev` puts it there\n"


def test_a_cluster_that_does_not_answer_exits_with_3(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    found[0] = ClusterUnreachable("made", "it does not answer", "start it")

    assert run(["status"]) == 3
    assert capsys.readouterr().err == "sluice: made: it does not answer; start it\n"


def test_a_program_gets_the_same_as_json(found: list[Status | Exception], capsys: pytest.CaptureFixture[str]) -> None:
    found[0] = replace(FINE, differences=(DRIFT,))

    assert run(["status", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["as_git_says"] is False
    assert document["agents"][0] == {
        "agent": "qa",
        "candidate": "qa-20251031",
        "wanted": 10,
        "allowed": 100,
        "served": [10.0],
    }
    assert document["drift"][0]["by"] == "kubectl-scale"
    assert document["pods"] == [{"pod": "gateway-1", "answers": True}]


def test_both_arms_the_verdict_and_what_comes_next_are_on_the_same_screen(
    fares: list[Fares], capsys: pytest.CaptureFixture[str]
) -> None:
    fares[0] = MEASURED

    assert run(["status"]) == 0

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[5:7] == [
        "agent over requests quality p95, s errors, % spend, $",
        "qa 24 h 12 | 900 8.07 | 8.07 0.99 | 0.99 0 | 1 0.02 | 13.50",
    ]
    assert "qa: hold at 10 %: 25 % is likely by" in "\n".join(lines)
    assert "time, likely by Thu 13 Nov, 12:00 UTC: 10 % holds for 1.0 days, 2 are wanted" in lines
    assert "fine-tuned models cost $3.20 this month" in lines
    assert lines[-1] == "the cluster is what git says"


def test_a_prometheus_that_does_not_answer_is_said_and_the_rest_is_shown(
    fares: list[Fares], found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    fares[0] = Fares(why_not="Prometheus: made does not answer")

    assert run(["status"]) == 3
    assert "not measured: Prometheus: made does not answer" in capsys.readouterr().out
    found[0] = replace(FINE, differences=(DRIFT,))
    assert run(["status"]) == 1


def test_what_was_measured_is_in_the_json_too(fares: list[Fares], capsys: pytest.CaptureFixture[str]) -> None:
    fares[0] = MEASURED

    assert run(["status", "--format", "json"]) == 0

    document = json.loads(capsys.readouterr().out)
    qa, legal = document["agents"]
    assert qa["arms"]["baseline"] == {
        "requests": 900,
        "failed": 9,
        "failed_users": 9,
        "quality": pytest.approx(8.067, abs=0.001),
        "p95_seconds": pytest.approx(0.9875),
        "cost_dollars": 13.5,
    }
    assert qa["verdict"]["action"] == "hold"
    assert qa["next"]["weight"] == 25
    assert {wait["gate"] for wait in qa["next"]["waits_for"]} >= {"time", "sample"}
    assert datetime.fromisoformat(qa["next"]["likely"]).tzinfo is UTC or qa["next"]["likely"].endswith("+00:00")
    assert "arms" not in legal
    assert (document["measured"], document["month_dollars"]) == (True, 3.2)


def test_watching_prints_what_changed_and_ends_without_a_word(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([FINE, replace(FINE, differences=(DRIFT,))])

    def sleep(_: float) -> None:
        following = next(looks, None)
        if following is None:
            raise KeyboardInterrupt
        found[0] = following

    monkeypatch.setattr("sluice.cli.status.time.sleep", sleep)

    assert run(["status", "--watch"]) == 1
    output = capsys.readouterr()
    assert output.out.count("wanted") == 2
    assert output.out.count("drift:") == 1
    assert output.err == ""


def test_an_override_that_another_candidate_ended_is_shown_in_one_sentence(
    found: list[Status | Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    entry = Override(0, "guard", "errors", "", "at four", candidate="qa-0")
    found[0] = replace(FINE, overrides={"qa": entry, "legal": Override(25, "ada"), "all": Override(50)})

    assert run(["status"]) == 0
    output = capsys.readouterr().out
    sentence = "was for qa-0 and no longer holds, since the rollout names qa-20251031: the registry's rule ends it"
    assert f"override: qa at most 0 % (guard, at four, errors) {sentence}" in output
    assert output.count("no longer holds") == 1

    assert run(["status", "--format", "json"]) == 0
    overrides = json.loads(capsys.readouterr().out)["overrides"]
    assert {key: entry["holds"] for key, entry in overrides.items()} == {"qa": False, "legal": True, "all": True}
    assert (overrides["qa"]["candidate"], overrides["qa"]["earlier"]) == ("qa-0", [])
