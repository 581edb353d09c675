"""`sluice advance` and `sluice promote`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.cli import advance as advance_command
from sluice.cli import promote as promote_command
from sluice.cli import requesting
from sluice.cli.main import run
from sluice.gitops.forge.github import GitHub
from sluice.registry import Registry, Rollout
from sluice.rollout import Standing
from sluice.rollout.record import Record
from tests.gitops.made_forges import TOKEN, MadeGitHub, Trouble
from tests.gitops.project import Repositories, git
from tests.gitops.staging.made_judge import FILE, MadeJudge, few

pytestmark = pytest.mark.slow


@pytest.fixture
def in_the_project(repositories: Repositories, judge: MadeJudge, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    for module in (requesting, advance_command, promote_command):
        monkeypatch.setattr(module, "PROJECT", repositories.mine)
    monkeypatch.setattr("sluice.deploy.launch.PROJECT", repositories.mine)
    monkeypatch.setattr(advance_command, "target", lambda _: type("Nowhere", (), {"connect": lambda self: None})())
    monkeypatch.setattr(advance_command, "judging", lambda *_: judge)
    return repositories


def test_the_command_pushes_the_branch_and_prints_the_text_where_no_forge_is(
    in_the_project: Repositories, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["advance", "staging", "qa"]) == 0

    said = capsys.readouterr().out
    (branch,) = in_the_project.branches
    assert "## What users get" in said
    assert f"branch {branch}: created, commit " in said


def test_the_command_says_what_is_missing_and_exits_with_1(
    in_the_project: Repositories, judge: MadeJudge, capsys: pytest.CaptureFixture[str]
) -> None:
    judge.measurements["qa"] = few()

    assert run(["advance", "staging", "qa"]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert "qa of staging: qa-20251031 is not ready:" in err


def test_without_an_agent_all_are_asked_and_one_that_cannot_be_seen_makes_it_exit_with_3(
    in_the_project: Repositories, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["advance", "staging", "--format", "json"]) == 3

    found = {one["agents"][0]: one for one in json.loads(capsys.readouterr().out)}
    assert list(found) == ["qa", "content", "legal", "support", "analyst"]
    assert found["qa"]["became"] == "created"
    assert found["support"]["error"] == "Prometheus does not answer"
    assert len(in_the_project.branches) == 2


def test_merged_at_once_it_is_what_everybody_has(in_the_project: Repositories) -> None:
    assert run(["advance", "staging", "qa", "--merge"]) == 0

    assert "qa-20251031, weight: 25, since: 2025-11-12" in in_the_project.at("main", FILE)
    assert in_the_project.branches == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["advance", "staging", "legl"], 'no agent is named "legl"; did you mean "legal"?'),
        (["advance", "nowhere"], "nowhere"),
        (["advance", "staging", "qa", "--force"], "--force needs a reason"),
        (["advance", "staging", "qa", "--reason", "why"], "--reason is for --force"),
        (["advance", "staging", "qa", "--remote", "up"], 'no remote is named "up"; there is origin'),
        (["promote", "qa", "--from", "staging", "--to", "staging"], "--from and --to are both staging"),
    ],
)
def test_what_is_used_wrongly_is_one_sentence_and_exits_with_2(
    in_the_project: Repositories, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert in_the_project.branches == []


def test_a_model_is_promoted_though_no_cluster_answers_and_that_is_said(
    in_the_project: Repositories, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-such-kubeconfig"))
    models = in_the_project.at("main", "registry/rollouts/dev.yaml")
    begin_at_none = models.replace(
        "candidate: qa-20251031, weight: 50, since: 2025-11-06", "candidate: qa-20251031, weight: 0"
    )
    in_the_project.pushed("registry/rollouts/dev.yaml", begin_at_none + "\n")

    assert run(["promote", "qa", "--from", "staging", "--to", "dev"]) == 0

    out, err = capsys.readouterr()
    assert "going on without knowing whether anybody was rolled back" in err
    assert "dev: qa-20251031 begins at" in out
    assert "benchmark of 2025-11-01" in out


def test_errors_of_git_are_one_sentence(in_the_project: Repositories, capsys: pytest.CaptureFixture[str]) -> None:
    git(in_the_project.mine, "remote", "set-url", "origin", "https://ada:made-password@127.0.0.1:1/made.git")

    assert run(["advance", "staging", "qa"]) == 3

    said = capsys.readouterr().err
    assert said.startswith("sluice: ")
    assert "127.0.0.1" in said
    assert "made-password" not in said


@pytest.mark.parametrize("output_format", ["text", "json"])
def test_where_the_forge_fails_at_a_later_agent_the_earlier_ones_are_told(
    in_the_project: Repositories,
    judge: MadeJudge,
    made: MadeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output_format: str,
) -> None:
    by_the_gates = judge.record

    def record(registry: Registry, rollout: Rollout, agent: str, standing: Standing | None) -> Record:
        if agent == "legal":
            made.trouble.append(Trouble("^POST", 403, {"message": "Resource not accessible by personal access token"}))
        return by_the_gates(registry, rollout, agent, standing)

    monkeypatch.setattr(judge, "record", record)
    monkeypatch.setattr(requesting, "forge_of", lambda *_: GitHub("owner/made", made.address, TOKEN))

    assert run(["advance", "staging", "qa", "legal", "--format", output_format]) == 3

    out, err = capsys.readouterr()
    assert "Resource not accessible" in err
    assert len(made.open_ones()) == 1
    if output_format == "json":
        (told,) = json.loads(out)
        assert (told["agents"], told["became"]) == (["qa"], "created")
    else:
        assert "staging: qa-20251031 from 10 % to 25 %\n  https://" in out
        assert "legal" not in out
