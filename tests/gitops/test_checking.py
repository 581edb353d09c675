"""What a request brings, checked without a cluster: registry, manifests, owners, sign-offs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.cli import ci as ci_command
from sluice.cli.main import run
from sluice.gitops.checking import check
from sluice.gitops.owners import OWNERS, TEAMS, OwnersUnusable, read_teams
from tests.gitops.project import PROJECT, TODAY, git, replace

pytestmark = pytest.mark.slow


def found(project: Path) -> list[str]:
    return [str(problem) for problem in check(project, TODAY, None) if problem.is_error]


def test_this_project_is_in_order(project: Path) -> None:
    assert found(project) == []


def test_what_was_edited_and_not_rendered_is_named_by_its_file(project: Path) -> None:
    replace(project / "registry/rollouts/dev.yaml", "qa-20251031, weight: 50", "qa-20251031, weight: 25")
    (project / "manifests/dev/configmap-old.yaml").write_text("# rendered by `sluice render dev`\n")
    (project / "manifests/dev/old").mkdir()

    assert found(project) == [
        "manifests/dev/configmap-flags.yaml:1:1: is not what is rendered; run `sluice render dev` and commit it",
        "manifests/dev/configmap-old.yaml:1:1: is of no object; run `sluice render dev` and commit it",
        "manifests/dev/old:1:1: is of no object; run `sluice render dev` and commit it",
    ]


def test_a_mistake_in_the_registry_is_shown_at_its_place_from_the_projects_folder(project: Path) -> None:
    replace(project / "registry/rollouts/production.yaml", "qa-20251031, weight: 0", "qa-20251031, weight: 30")

    problems = found(project)
    assert any(problem.startswith("registry/rollouts/production.yaml:6:") for problem in problems)
    assert not any(str(project) in problem for problem in problems)


def test_owners_that_are_not_what_the_roles_say_are_named(project: Path) -> None:
    replace(project / TEAMS, "@example/legal", "@example/lawyers")

    assert found(project) == [f"{OWNERS}:1:1: is not what the sign-off roles say; run `sluice ci owners` and commit it"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("legal: ", "lawyers: ", r"owners\.legal: None is no team"),
        ('"@example/finance"', "finance", r"owners\.cost: 'finance' is no team; write one as \"@example/team\""),
        (
            "  cost: ",
            "  costs: '@example/x'\n  cost: ",
            r"owners\.costs: is no role; the roles are engineers, technical",
        ),
    ],
)
def test_owners_that_no_forge_can_know_are_refused(project: Path, old: str, new: str, said: str) -> None:
    replace(project / TEAMS, old, new)

    with pytest.raises(OwnersUnusable, match=said):
        read_teams(project)
    assert [problem.split(":")[0] for problem in found(project)] == [TEAMS]


def test_legal_owns_every_sign_off_for_the_legal_agent() -> None:
    lines = (PROJECT / OWNERS).read_text().splitlines()

    at = lines.index("# waits for a legal sign-off before production: legal")
    assert lines[at + 1] == "/registry/evidence/sign-off-legal-* @example/legal"


def test_the_owners_are_what_the_registry_says_now(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setattr(ci_command, "PROJECT", project)
    (project / OWNERS).unlink()

    assert run(["ci", "owners"]) == 0
    assert (project / OWNERS).read_text() == (PROJECT / OWNERS).read_text()


def test_a_folder_among_manifests_and_owners_that_are_no_text_are_problems_like_others(project: Path) -> None:
    (project / "manifests/dev/folder").mkdir()
    (project / OWNERS).write_bytes(b"\xff\xfe")

    assert [line.partition(";")[0] for line in found(project)] == [
        f"{OWNERS}:1:1: is not what the sign-off roles say",
        "manifests/dev/folder:1:1: is of no object",
    ]


def test_without_a_repository_it_is_said_that_nobody_looked_at_who_signed(project: Path) -> None:
    shutil.rmtree(project / ".git")

    (problem,) = [one for one in check(project, TODAY, None) if "who signed was not looked at" in one.text]
    assert "not a git repository" in problem.text
    assert not problem.is_error


def test_a_sign_off_by_one_person_alone_is_found_once_it_is_merged(project: Path) -> None:
    file = project / "registry/evidence/sign-off-legal-1.yaml"
    file.write_text(
        "version: 1\nkind: sign-off\ndate: 2025-11-08\nby: Ada\n"
        "sign_off:\n  role: legal\n  ends: 2026-11-08\n  conditions: [{text: read, met: true}]\n"
        "  models: {legal-20251031: 'ft:open-mistral-7b:5010731d:20251031:eb2da6b7'}\n"
    )
    git(project, "add", ".")
    assert found(project) == []
    git(project, "commit", "-q", "-m", "Sign")

    (problem,) = found(project)
    assert problem.startswith("registry/evidence/sign-off-legal-1.yaml:1:1: Ada wrote it and let it in;")


def test_annotations_are_written_as_githubs_runner_wants_them(
    monkeypatch: pytest.MonkeyPatch, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ci_command, "PROJECT", project)
    (project / "manifests/dev/configmap-flags.yaml").unlink()

    assert run(["ci", "check", "--format", "github"]) == 1
    said = capsys.readouterr().out
    assert (
        "::error file=manifests/dev/configmap-flags.yaml,line=1,col=1,title=sluice::"
        "is not there; run `sluice render dev` and commit it\n"
    ) in said
