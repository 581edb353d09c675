"""`sluice review` and `sluice failures`, from the command line to the program in the pod; its exec is faked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sluice.cli.main import run
from sluice.deploy.cluster_access import ClusterAccess, Ran
from sluice.gateway import kept_tool
from tests.deploy.api_server import ApiServer, running_api_server

ITEM = {
    "id": "legal-1", "agent": "legal", "arm": "candidate", "model": "legal-20251031", "reason": "review of all outputs",
    "reviewed_by": "a lawyer", "at_seconds": 1762430400.0, "question": "Draft a clause", "answer": "A clause.\x1b[2J",
    "status": "pending", "reviewer": None, "note": None,
}  # fmt: skip
FAILED = {
    "agent": "qa", "arm": "candidate", "model": "gpt-4o", "outcome": "fallback", "why": "status 500",
    "at_seconds": 1762430400.0, "question": "Write a test", "answer": "", "score": None,
}  # fmt: skip
PODS = "/api/v1/namespaces/sluice-dev/pods"


class Pod:
    """What the faked exec was asked, and what it answers."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.answer = Ran(0, "[]", "")


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    made = Pod()

    def run_in_pod(
        _self: ClusterAccess, namespace: str, name: str, command: Sequence[str], *, timeout_seconds: float
    ) -> Ran:
        assert (namespace, name) == ("sluice-dev", "gateway-b")
        made.commands.append(list(command))
        return made.answer

    monkeypatch.setattr(ClusterAccess, "run_in_pod", run_in_pod)
    with running_api_server() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        put_pods(server, ready=True)
        yield made


def put_pods(server: ApiServer, *, ready: bool) -> None:
    states = {"gateway-a": "False", "gateway-b": str(ready)}
    pods = [
        {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": state}]}}
        for name, state in states.items()
    ]
    server.put(PODS, {"items": pods})


def test_what_waits_is_listed_and_a_terminal_obeys_no_answer(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.answer = Ran(0, json.dumps([ITEM]), "")

    assert run(["review", "list", "dev", "--agent", "legal"]) == 0
    output = capsys.readouterr().out
    assert "legal-1  2025-11-06 12:00:00Z  candidate" in output
    assert "\x1b" not in output
    assert pod.commands[0][3:] == ["review", "list", "--status", "pending", "--most", "100", "--agent", "legal"]


def test_a_decision_names_who_decided_and_reaches_the_pod_as_it_was_typed(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.answer = Ran(0, json.dumps({**ITEM, "status": "rejected", "reviewer": "ada; rm"}), "")

    assert run(["review", "reject", "dev", "legal-1", "--by", "ada; rm", "--note", "wrong law"]) == 0
    assert capsys.readouterr().out == "legal-1 is rejected by ada; rm\n"
    options = kept_tool._parser().parse_args(pod.commands[0][3:])
    assert (options.action, options.id, options.by, options.note) == ("reject", "legal-1", "ada; rm", "wrong law")


def test_a_decision_without_a_name_is_used_wrongly(pod: Pod) -> None:
    assert run(["review", "approve", "dev", "legal-1"]) == 2
    assert pod.commands == []


def test_an_item_that_is_decided_already_is_a_no(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.answer = Ran(1, "", "'legal-1' is approved already, by bob\n")

    assert run(["review", "approve", "dev", "legal-1", "--by", "ada"]) == 1
    assert "approved already, by bob" in capsys.readouterr().err


def test_a_program_in_the_pod_that_cannot_is_said_in_its_last_line(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.answer = Ran(3, "", "noise\nthis environment has no Redis\n")

    assert run(["review", "show", "dev", "legal-1"]) == 3
    assert "pod gateway-b: this environment has no Redis" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json"])
def test_failures_are_printed(pod: Pod, capsys: pytest.CaptureFixture[str], form: str) -> None:
    pod.answer = Ran(0, json.dumps([FAILED]), "")

    assert run(["failures", "dev", "qa", "--worst", "--days", "7", "--format", form]) == 0
    output = capsys.readouterr().out
    assert pod.commands[0][3:] == ["failures", "qa", "--worst", "--days", "7"]
    assert json.loads(output) == [FAILED] if form == "json" else "gpt-4o  fallback: status 500" in output


def test_failures_of_an_agent_that_nobody_knows_are_used_wrongly(pod: Pod) -> None:
    assert run(["failures", "dev", "quality"]) == 2
    assert pod.commands == []
