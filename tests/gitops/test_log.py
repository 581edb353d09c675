"""What users got over time and at one moment, of histories as teams make them: merges, squashes, hands."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.cli import log as log_command
from sluice.cli.main import run
from sluice.gateway.draw import bucket_of
from sluice.git import Git
from sluice.gitops.ledger import Entry, Ledger
from sluice.gitops.moment import overrides_at
from sluice.override import Override, Overrides
from sluice.rollout.override_map import Lifted, OverrideMap
from tests.gitops.project import ROLLOUT, Repositories, git, whole_project

pytestmark = pytest.mark.slow

FILE = "registry/rollouts/made.yaml"
SIGNED = (
    "version: 1\nkind: sign-off\ndate: 2025-11-08\nby: Linus\n"
    "sign_off: {role: legal, ends: 2026-11-08, models: {legal-1: legal-one}}\n"
)


@pytest.fixture
def told(repositories: Repositories) -> Repositories:
    """A branch of Grace's with a step of qa and its merge by Ada, a sign-off, a graduation by hand."""
    mine = repositories.mine
    repositories.pushed(
        FILE,
        ROLLOUT.replace("qa-1, weight: 10", "qa-1, weight: 25"),
        "made: qa-1 to 25 %\n\nSluice-Forced: Grace: the board wants it",
        branch="main",
    )
    git(mine, "pull", "-q")
    git(mine, "checkout", "-q", "-b", "step")
    (mine / FILE).write_text(ROLLOUT.replace("qa-1, weight: 10", "qa-1, weight: 50"))
    git(mine, "-c", "user.name=Grace", "commit", "-q", "-a", "-m", "made: qa-1 to 50 %")
    git(mine, "checkout", "-q", "main")
    git(mine, "merge", "-q", "--no-ff", "step", "-m", "Merge step\n\nApproved-by: Linus <linus@example.com>")
    (mine / "registry/evidence").mkdir()
    (mine / "registry/evidence/legal.yaml").write_text(SIGNED)
    git(mine, "add", ".")
    git(mine, "commit", "-q", "-m", "Sign for legal-1")
    (mine / FILE).write_text(
        ROLLOUT.replace("{candidate: qa-1, weight: 10, since: 2025-11-06}", "{baseline: [qa-1, gpt-4o]}").replace(
            "true  ", "false  "
        )
    )
    git(mine, "commit", "-q", "-a", "-m", "made: qa-1 graduates, and off")
    return repositories


def entries(told: Repositories, agent: str | None = None) -> list[Entry]:
    return list(Ledger(Git(told.mine), "made").entries(agent))


def test_every_change_is_told_once_the_newest_first(told: Repositories) -> None:
    said = [[f"{change.agent}: {change.text}" for change in entry.changes] for entry in entries(told)]

    assert said == [
        ["None: the kill switch goes off: nobody is on a candidate", "qa: qa-1 graduates"],
        [],
        ["qa: qa-1 from 25 % to 50 %"],
        ["qa: qa-1 from 10 % to 25 %"],
        ["qa: qa-1 at 10 %", "legal: legal-1 at 10 %"],
    ]


def test_who_wrote_merged_approved_and_forced_is_told(told: Repositories) -> None:
    _, _, merged, forced, _ = entries(told)

    assert (merged.by, merged.merged_by, merged.approved_by) == ("Grace", "Ada", ("Linus <linus@example.com>",))
    assert (forced.by, forced.forced) == ("Grace", "Grace: the board wants it")


def test_of_a_forges_merge_the_person_is_told_and_no_approval_that_the_branch_gave_itself(told: Repositories) -> None:
    mine = told.mine
    git(mine, "checkout", "-q", "-b", "own")
    (mine / FILE).write_text(ROLLOUT)
    git(mine, "-c", "user.name=Grace", "commit", "-q", "-a", "-m", "made: back\n\nApproved-by: Linus <l@example.com>")
    git(mine, "checkout", "-q", "main")
    git(mine, "merge", "-q", "--no-ff", "own", "-m", "Merge it")
    forge = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.com")
    git(mine, *forge, "commit", "-q", "--amend", "--author", "Ada <ada@example.com>", "-m", "Merge pull request #8")

    newest = entries(told)[0]
    assert (newest.by, newest.merged_by, newest.approved_by) == ("Grace", "Ada", ())


def test_evidence_is_told_with_who_vouches_and_to_the_agents_whose_model_it_names(told: Repositories) -> None:
    (found,) = [entry.evidence for entry in entries(told) if entry.evidence]
    assert (found[0].name, found[0].kind, found[0].by, found[0].models) == (
        "legal",
        "sign-off (legal)",
        "Linus",
        ("legal-1",),
    )

    assert [entry.evidence[0].name for entry in entries(told, "legal") if entry.evidence] == ["legal"]
    assert not [entry for entry in entries(told, "qa") if entry.evidence]


def test_a_title_with_ends_of_lines_that_are_none_of_gits_breaks_nothing(told: Repositories) -> None:
    (told.mine / FILE).write_text(ROLLOUT)
    git(told.mine, "commit", "-q", "-a", "-m", "made: once\x0cmore\u2028again")

    assert entries(told)[0].title == "made: once\x0cmore\u2028again"


def test_a_file_that_was_broken_for_a_while_breaks_nothing(told: Repositories) -> None:
    (told.mine / FILE).write_text("agents: [not, a, mapping\n")
    git(told.mine, "commit", "-q", "-a", "-m", "Break it")
    (told.mine / FILE).write_text(ROLLOUT)
    git(told.mine, "commit", "-q", "-a", "-m", "Mend it")

    assert len(entries(told)) == 7


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This project with two commits: production's qa at 10 % on the 8th and at 25 % on the 10th of November."""
    folder = whole_project(tmp_path / "project")
    git(folder, "init", "-q", "-b", "main")
    rollout = folder / "registry/rollouts/dev.yaml"
    for day, weight in ((8, 10), (10, 25)):
        rollout.write_text(
            rollout.read_text().replace("qa-20251031, weight: 50", f"qa-20251031, weight: {weight}")
            if weight == 10
            else rollout.read_text().replace("qa-20251031, weight: 10", f"qa-20251031, weight: {weight}")
        )
        monkeypatch.setattr("sluice.cli.render.PROJECT", folder)
        assert run(["render", "dev", "--format", "json"]) == 0
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_DATE", f"2025-11-{day:02}T12:00:00Z")
        git(folder, "add", ".")
        git(folder, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", f"qa at {weight}")
    monkeypatch.setattr(log_command, "PROJECT", folder)
    monkeypatch.setattr("sluice.deploy.launch.PROJECT", folder)
    return folder


def user_in(low: int, high: int) -> str:
    names = (f"user-{number}" for number in range(1000))
    return next(name for name in names if low <= (bucket_of("qa", "qa-20251031", name) or 0) < high)


def test_what_a_user_got_is_drawn_as_the_gateway_draws(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    between = user_in(10, 25)
    arms = []
    for at in ("2025-11-09", "2025-11-10T12:00Z"):
        capsys.readouterr()
        assert run(["log", "dev", "qa", "--offline", "--at", at, "--user", between, "--format", "json"]) == 0
        (agent,) = json.loads(capsys.readouterr().out)["agents"]
        arms.append((agent["served_percent"], agent["arm"]))

    assert arms == [(10, "baseline"), (25, "candidate")]


def test_what_was_rendered_then_is_rendered_again_byte_for_byte(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "dev", "--offline", "--at", "2025-11-08", "--render", str(tmp_path / "then")]) == 0

    assert "the same as the commit has, byte for byte" in capsys.readouterr().out
    for file in (tmp_path / "then").iterdir():
        assert file.read_text().strip() == git(project, "show", f"HEAD~1:manifests/dev/{file.name}")


def test_manifests_that_somebody_changed_are_named(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "manifests/dev/namespace-sluice-dev.yaml"
    file.write_text(file.read_text() + "# by hand\n")
    git(project, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-a", "-m", "By hand")

    assert run(["log", "dev", "--offline", "--at", "2025-11-10", "--render", str(tmp_path / "then")]) == 0
    assert "1 of them are rendered otherwise by now (namespace-sluice-dev.yaml)" in capsys.readouterr().out


def test_a_moment_before_all_is_said_and_exits_with_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["log", "dev", "--offline", "--at", "2025-11-01"]) == 2
    assert "HEAD has no commit from 2025-11-01 23:59 UTC or before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("9999-12-31", "9999-12-31 is yet to come"),
        ("2999-01-01T10:00Z", "is yet to come"),
        ("9999-12-31T23:59-12:00", "is neither a day"),
        ("0001-01-01T00:00+14:00", "is neither a day"),
    ],
)
def test_a_moment_that_is_not_yet_or_is_none_is_refused(at: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["log", "dev", "--offline", "--at", at]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--at", "2025-11-10"]])
def test_a_branch_that_git_does_not_know_is_named(
    project: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "dev", "--offline", "--ref", "nope", *more]) == 3
    assert 'git knows no commit "nope" here' in capsys.readouterr().err


def test_a_clone_that_lacks_older_commits_says_so(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", project.as_uri(), "shallow")
    monkeypatch.setattr(log_command, "PROJECT", tmp_path / "shallow")

    assert run(["log", "dev", "--offline"]) == 0
    assert "this clone lacks older commits" in capsys.readouterr().err


def test_a_cluster_that_cannot_be_asked_is_said_and_the_rest_is_told(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-such-kubeconfig"))

    assert run(["log", "dev", "qa"]) == 0
    out, err = capsys.readouterr()
    assert "without the cluster's overrides" in err
    assert "qa: qa-20251031 from 10 % to 25 %" in out


def test_an_override_counts_for_as_long_as_it_held() -> None:
    was = Override(0, "guard", "errors", "", "2025-11-09T10:00:00Z")
    lifted = Lifted("qa", "Ada", "mended", "2025-11-09T16:00:00Z", was.text)
    found = OverrideMap("1", Overrides({"legal": dataclasses.replace(was, at="2025-11-10T10:00:00Z")}), (lifted,))

    def held(day: int, hour: int) -> set[str]:
        return set(overrides_at(found, datetime(2025, 11, day, hour, tzinfo=UTC)).entries)

    assert [held(9, 9), held(9, 12), held(9, 17), held(10, 11)] == [set(), {"qa"}, set(), {"legal"}]


def test_of_two_candidates_that_fell_each_counts_from_its_own_moment_and_for_itself() -> None:
    first = Override(0, "guard", "errors", "", "2025-11-09T10:00:00Z", candidate="qa-1")
    second = Override(0, "guard", "points", "", "2025-11-11T10:00:00Z", candidate="qa-2").over(first)
    lifted = Lifted("qa", "Ada", "mended", "2025-11-12T10:00:00Z", second.text)

    for found in (OverrideMap("1", Overrides({"qa": second})), OverrideMap("1", Overrides({}), (lifted,))):
        for day, allowed in ((9, (100, 100)), (10, (0, 100)), (12, (0, 0))):
            then = overrides_at(found, datetime(2025, 11, day, 9, tzinfo=UTC))
            assert (then.allowed_percent("qa", "qa-1"), then.allowed_percent("qa", "qa-2")) == allowed
    assert overrides_at(found, datetime(2025, 11, 13, tzinfo=UTC)).entries == {}


def test_an_override_that_another_candidate_ended_is_told_apart_from_one_that_holds_and_from_one_that_was_lifted(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Override(0, "guard", "errors", "", "2025-11-09T10:00:00Z", candidate="qa-0")
    entry = Override(0, "ada", "points", "", "2025-11-11T10:00:00Z", candidate="qa-20251031").over(first)
    found = OverrideMap("1", Overrides({"qa": entry, "all": Override(50)}))
    monkeypatch.setattr(log_command, "target", lambda _: None)
    monkeypatch.setattr(log_command, "override_map", lambda *_: found)

    over = "qa: at most 0 % (guard, 2025-11-09T10:00:00Z, errors) was for qa-0 and no longer holds"
    capsys.readouterr()
    assert run(["log", "dev", "qa"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[:3] == [
        "override holds: qa: at most 0 % (ada, 2025-11-11T10:00:00Z, points)",
        "override holds: every agent: at most 50 %",
        f"override over: {over}, since the rollout names qa-20251031: the registry's rule ends it",
    ]
    assert not [line for line in lines if line.startswith("override lifted")]
    assert run(["log", "dev", "qa", "--at", "2025-11-12"]) == 0
    then = capsys.readouterr().out
    assert "0 % on qa-20251031 (git wanted 25)" in then
    assert f"override: {over}" in then
