"""`sluice rollback` and `sluice resume`, from the command line to a made cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sluice.cli import resume as resume_command
from sluice.cli import rollback as rollback_command
from sluice.cli.main import run
from sluice.deploy import emergency
from sluice.registry import load_environment
from sluice.registry.policy import OverrideEnds
from sluice.rollout.effect import AgentAfter, Proof
from tests.rollout.made_cluster import MadeCluster, said

ROLLBACK = ["rollback", "dev", "qa", "--reason", "errors", "--by", "ada", "--prove-for", "0"]
RESUME = ["resume", "dev", "qa", "--reason", "mended", "--by", "bob"]
SETTINGS = "config:\n  sluice:namespace: sluice-made\n"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeCluster:
    """A made cluster, and a project of nothing but settings: its registry cannot be read."""
    (tmp_path / "Pulumi.dev.yaml").write_text(SETTINGS)
    made = MadeCluster(weights={"qa": 10, "legal": 50})
    for module in (rollback_command, resume_command):
        monkeypatch.setattr(module, "target", lambda context: SimpleNamespace(connect=lambda: made))
    monkeypatch.setattr(rollback_command, "PROJECT", tmp_path)
    monkeypatch.setattr(emergency, "PROJECT", tmp_path)
    monkeypatch.setattr("sluice.deploy.launch.PROJECT", tmp_path)
    return made


def test_a_rollback_and_its_end_without_a_registry_that_can_be_read(
    cluster: MadeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ROLLBACK) == 0
    said_of_it = capsys.readouterr()
    assert "qa: at most 0 %, set after" in said_of_it.out
    assert "gateway-a  baseline alone after" in said_of_it.out
    assert "no commit: " in said_of_it.out
    assert "going on without the registry" in said_of_it.err

    assert run(ROLLBACK) == 0
    assert "qa: at most 0 % already, by ada at 20" in capsys.readouterr().out

    assert run(RESUME) == 0
    assert "qa: 10 % of its users are on the candidate from now on" in capsys.readouterr().out
    assert cluster.override == {}


def test_a_request_that_cannot_be_made_is_said_and_takes_nothing_back(
    cluster: MadeCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sluice.cli.requesting.PROJECT", tmp_path)

    assert run([*ROLLBACK, "--request"]) == 0

    assert "no request: not a git repository" in capsys.readouterr().err
    assert "qa" in (cluster.override or {})


def test_json_has_it_all(cluster: MadeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ROLLBACK, "--format", "json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["agent"], told["set"], told["override"]["by"]) == ("qa", True, "ada")
    assert [pod["pod"] for pod in told["pods"]] == ["gateway-a", "gateway-b"]
    assert told["commit"]["commit"] is None


def test_printing_the_patch_asks_nobody(cluster: MadeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ROLLBACK, "--print-patch"]) == 0

    assert capsys.readouterr().out.startswith("kubectl -n sluice-made patch configmap override --type merge -p '{")
    assert cluster.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["rollback", "dev", "qa"],
        ["rollback", "dev", "qa", "--reason", " "],
        ["rollback", "dev", "qa", "--reason", "x" * 501],
        ["rollback", "elsewhere", "qa", "--reason", "x"],
        ["rollback", "dev", "quality", "--reason", "x"],
        ["resume", "dev", "qa", "--reason", ""],
    ],
)
def test_what_is_used_wrongly_changes_nothing(cluster: MadeCluster, arguments: list[str]) -> None:
    assert run(arguments) == 2
    assert cluster.writes == 0


def test_a_refusal_is_a_no(cluster: MadeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.override = {"legal": "0"}

    assert run(["resume", "dev", "legal", "--reason", "x"]) == 1
    assert "legal: 50 % of its users would be on the candidate at once" in capsys.readouterr().err
    assert run(["resume", "dev", "legal", "--reason", "x", "--force"]) == 0


def test_an_api_server_that_refuses_could_not_be_done(cluster: MadeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.fault = lambda method, path: said(403, {"message": "no"})

    assert run(ROLLBACK) == 3
    assert "the role sluice-operator" in capsys.readouterr().err


def test_settings_without_a_namespace_are_shown_where_they_stand(
    cluster: MadeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  sluice:gateway: {}\n")

    assert run(ROLLBACK) != 0
    assert "sluice:namespace" in capsys.readouterr().err


def test_pods_that_cannot_be_heard_could_not_be_done_and_the_override_stays(
    cluster: MadeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.rollout.rollback._REACHED_WITHIN_SECONDS", 0.0)
    cluster.pods["gateway-b"].hears = False

    assert run(ROLLBACK) == 3
    assert "gateway-b  DOES NOT SAY SO YET" in capsys.readouterr().out
    assert cluster.overrides.allowed_percent("qa") == 0


def test_a_baseline_that_fails_too_is_a_no(
    cluster: MadeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = AgentAfter("qa", 0, 40, 0.5, 0.05, 0.25, 10.0, None)
    monkeypatch.setattr("sluice.rollout.rollback.prove", lambda *_, **__: Proof(10.0, 2, (failing,)))

    assert run([*ROLLBACK[:-1], "10"]) == 1
    told = capsys.readouterr().out
    assert "NOT IN ORDER, over 10 s on 2 pods:" in told
    assert "qa: 40 by the baseline, 0 by the candidate, errors 50.0 % (allowed 5 %)" in told


def test_where_another_candidate_may_end_it_the_entry_and_the_last_line_say_so(
    cluster: MadeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = load_environment(Path(__file__).parent.parent.parent, "dev")
    qa = declared.registry.agents["qa"]
    ends = replace(qa, policy=replace(qa.policy, override_ends=OverrideEnds.NEW_CANDIDATE))
    registry = replace(declared.registry, agents={**declared.registry.agents, "qa": ends})
    found = emergency.Emergency("sluice-made", replace(declared, registry=registry))
    monkeypatch.setattr(rollback_command, "emergency", lambda _: found)
    monkeypatch.setattr(resume_command, "emergency", lambda _: found)

    assert run(ROLLBACK) == 0
    assert "--reason ...`, or once the rollout names another candidate than qa-1" in capsys.readouterr().out
    assert run([*ROLLBACK, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["override"]["candidate"] == "qa-1"
    assert run(["rollback", "dev", "legal", *ROLLBACK[3:]]) == 0
    assert "another candidate" not in capsys.readouterr().out
    assert cluster.overrides.entries["legal"].candidate == ""

    monkeypatch.setattr("sluice.rollout.rollback._REACHED_WITHIN_SECONDS", 0.0)
    cluster.pods["gateway-b"].hears = False
    assert run(ROLLBACK) == 3
    told = " ".join(capsys.readouterr().out.split())
    assert "a pod that goes by older flags may have another candidate than qa-1: what `--print-patch` prints" in told

    cluster.candidates = {"qa": "qa-2"}
    assert run([*RESUME, "--force"]) == 0
    told = capsys.readouterr().out
    assert "qa: lifted; it was set by ada at 20" in told
    assert "  it was for qa-1 and no longer holds, since the rollout names qa-2: the registry's rule ends it" in told
