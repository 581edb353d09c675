"""The commit of a rollback, in real repositories in whatever state a person left them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluice.override import Override
from sluice.registry.document import parse_document
from sluice.rollout.post_mortem import Rollback, blank, draft
from sluice.rollout.rollback_commit import record
from sluice.rollout.wanted import Wanted

pytestmark = pytest.mark.slow

ROLLOUT = """\
version: 1
enabled: true            # the kill switch
agents:
  qa: {candidate: qa-1, weight: 50, since: 2025-11-06}   # half of them
  legal: {candidate: legal-1, weight: 0}
"""
ENTRY = Override(0, by="ada", reason="errors above 5 %", evidence="board 7", at="2026-11-21T10:11:12.345678Z")
BRANCH = "rollback/made/qa-20261121T101112Z"


def about(key: str, seen: str = "facts", *, environment: str = "made", entry: Override = ENTRY) -> Rollback:
    had = [Wanted("qa", 50, "qa-1")]
    return Rollback(environment, "sluice-made", key, entry, had, seen, timedelta(hours=24))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "ours" / "deep" / "registry"
    (folder / "rollouts").mkdir(parents=True)
    (folder / "rollouts/made.yaml").write_text(ROLLOUT)
    (folder / "models.yaml").write_text("version: 1\n")
    git(tmp_path / "ours", "init", "-q", "-b", "main")
    git(tmp_path / "ours", "config", "user.name", "Ada")
    git(tmp_path / "ours", "config", "user.email", "ada@example.com")
    git(tmp_path / "ours", "add", ".")
    git(tmp_path / "ours", "commit", "-q", "-m", "Begin")
    return folder


def test_the_weight_is_0_on_a_branch_and_nothing_else_differs(registry: Path) -> None:
    made = record(registry, about("qa", "qa had 50 % of its users on qa-1."))

    assert (made.branch, made.made, made.why_not) == (BRANCH, True, "")
    changed = git(registry, "diff", "--unified=0", "main", BRANCH, "--", ".")
    removed, added = [line for line in changed.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert removed == "-  qa: {candidate: qa-1, weight: 50, since: 2025-11-06}   # half of them"
    assert added.startswith("+  qa: {candidate: qa-1, weight: 0, since: 20")
    assert added.endswith("}   # half of them")


def test_the_message_has_who_why_when_and_what_was_seen(registry: Path) -> None:
    record(registry, about("qa", "qa had 50 % of its users on qa-1."))

    message = git(registry, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith("Roll qa of made back to the baseline: errors above 5 %\n")
    for said in ("qa had 50 %", "By: ada", "At: 2026-11-21T10:11:12.345678Z", "Evidence: board 7"):
        assert said in message


def test_all_are_sent_to_the_baseline_by_the_kill_switch(registry: Path) -> None:
    made = record(registry, about("all"))

    text = git(registry, "show", f"{made.branch}:./rollouts/made.yaml")
    document, _ = parse_document(text.encode(), "made")
    assert document is not None
    assert document.get("enabled") is False
    assert document.get("agents", "qa", "weight") == 50


def test_what_the_person_has_in_hand_is_not_touched(registry: Path) -> None:
    git(registry, "checkout", "-q", "-b", "mine")
    (registry / "rollouts/made.yaml").write_text("half of an ed")
    (registry / "models.yaml").write_text("version: 2\n")
    git(registry, "add", "models.yaml")
    (registry / "new").write_text("")
    before = git(registry, "status", "--porcelain=v2", "--branch")

    assert record(registry, about("qa")).made
    assert git(registry, "status", "--porcelain=v2", "--branch") == before
    assert git(registry, "worktree", "list").count("\n") == 1
    assert (registry / "rollouts/made.yaml").read_text() == "half of an ed"


def test_it_stands_on_what_everybody_has_and_not_on_a_branch_of_ones_own(registry: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(tmp_path / "ours"), "clone")
    clone = tmp_path / "clone/deep/registry"
    git(clone, "config", "user.name", "Ada")
    git(clone, "config", "user.email", "ada@example.com")
    git(clone, "checkout", "-q", "-b", "mine")
    (clone / "models.yaml").write_text("version: 3\n")
    git(clone, "commit", "-q", "-am", "Mine")

    record(clone, about("qa"))

    assert git(clone, "rev-parse", f"{BRANCH}~") == git(clone, "rev-parse", "origin/main")


def test_a_second_time_finds_the_first_commit(registry: Path) -> None:
    first = record(registry, about("qa"))
    second = record(registry, about("qa"))

    assert (second.commit, second.made) == (first.commit, False)


def test_without_a_name_in_git_it_is_committed_all_the_same(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(registry, "config", "user.useConfigOnly", "true")
    git(registry, "config", "--unset", "user.name")
    git(registry, "config", "--unset", "user.email")

    made = record(registry, about("qa"))

    assert made.made
    assert git(registry, "log", "-1", "--format=%an", BRANCH) == "sluice\n"


def test_a_hooks_variables_lead_nowhere(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))

    assert record(registry, about("qa")).made
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("key", ["legal", "unheard"])
def test_where_git_wants_nobody_on_the_candidate_there_is_nothing_to_commit(registry: Path, key: str) -> None:
    made = record(registry, about(key))

    assert made.commit is None
    assert f"wants no user of {key} on a candidate already" in made.why_not


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "rollouts").mkdir()

    assert "not a git repository" in record(tmp_path, about("qa")).why_not


def test_without_git_it_says_so(registry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert record(registry, about("qa")).why_not == "there is no git on the PATH"


def test_an_environment_that_git_does_not_have_is_said(registry: Path) -> None:
    assert "has no deep/registry/rollouts/other.yaml" in record(registry, about("qa", environment="other")).why_not


PAGE = "docs/post-mortems/made-qa-20261121T101112Z.md"


def test_the_commit_begins_the_post_mortem_beside_the_registry(registry: Path) -> None:
    made = record(registry, about("qa", "qa had 50 % of its users on qa-1."))

    assert made.post_mortem == f"deep/{PAGE}"
    changed = git(registry, "diff", "--name-status", "main", BRANCH).split()
    assert changed == ["A", f"deep/{PAGE}", "M", "deep/registry/rollouts/made.yaml"]
    page = git(registry, "show", f"{BRANCH}:deep/{PAGE}")
    for said in (
        "# Post-mortem of qa in made\n",
        "Due at 2026-11-22 10:11 UTC.",
        "| Agent, candidate, weight | qa: qa-1 at 50 % |",
        "| 2026-11-21 10:11:12 UTC, ada |",
        "| Reason that the override says | errors above 5 % |",
        "| Evidence that the override says | board 7 |",
        "- 10:11:12 the override was set.\n- qa had 50 % of its users on qa-1.",
        "sluice failures made qa --worst --days 7",
        "kubectl -n sluice-made get configmap override",
    ):
        assert said in page
    assert record(registry, about("qa")).post_mortem == made.post_mortem, "a second rollback names the same page"


def test_what_was_written_by_others_stays_in_its_cell() -> None:
    entry = Override(0, by="a | b", reason="one\n| two | <script>", evidence="x" * 5000, at=ENTRY.at)

    page = draft(about("qa", entry=entry))

    assert "| 2026-11-21 10:11:12 UTC, a \\| b |" in page
    assert "| Reason that the override says | one \\| two \\| &lt;script> |" in page
    assert "x" * 1501 not in page


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_a_moment_at_the_ends_of_time_is_taken_for_now(at: str) -> None:
    assert f"Due at {datetime.now(UTC) + timedelta(hours=24):%Y}" in draft(about("qa", entry=replace(ENTRY, at=at)))


def test_a_draft_has_the_questions_of_the_page_that_people_begin_with_by_hand() -> None:
    def headings(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(("## ", "- [ ]"))]

    runbook = Path(__file__).resolve().parents[2] / "docs/runbooks/post-mortem.md"
    assert runbook.read_text() == blank()
    assert headings(draft(about("all"))) == headings(blank())


def test_a_rollout_file_that_can_be_run_stays_one(registry: Path) -> None:
    git(registry, "update-index", "--chmod=+x", "rollouts/made.yaml")
    git(registry, "commit", "-q", "-m", "Let it be run")

    record(registry, about("qa"))

    changed = git(registry, "diff", "--raw", "--no-renames", "main", BRANCH).splitlines()
    assert [line.split()[:2] for line in changed] == [[":000000", "100644"], [":100755", "100755"]]
