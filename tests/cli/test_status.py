"""`sluice status`: what it shows, and its exit codes. What it finds is tests/deploy's matter."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.deploy.cluster_access import ClusterUnreachable
from sluice.deploy.drift import Difference
from sluice.deploy.status import AgentStatus, Status
from sluice.override import Override

FINE = Status(
    "dev",
    "sluice-dev",
    is_there=True,
    pods={"gateway-1": True},
    agents=(AgentStatus("qa", "qa-20251031", 10, 100, (10.0,)), AgentStatus("legal", None, 0, 100, (0.0,))),
)
DRIFT = Difference("Deployment", "gateway", "spec.replicas", "1", "0", "kubectl-scale", "2026-11-21T16:00:00Z")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Status | Exception]:
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
