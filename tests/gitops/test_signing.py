"""Who wrote a sign-off and who let it in, in histories as teams make them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.git import Git
from sluice.gitops.signing import unproven
from tests.gitops.project import Repositories, git

FILE = "registry/evidence/sign-off-legal-20251108.yaml"

pytestmark = pytest.mark.slow


def signed(by: str, role: str = "legal") -> str:
    return (
        f"version: 1\nkind: sign-off\ndate: 2025-11-08\nby: {by}\n"
        f"sign_off: {{role: {role}, ends: 2026-11-08, models: {{legal-1: legal-one}}}}\n"
    )


def as_of(who: str) -> tuple[str, ...]:
    return ("-c", f"user.name={who}", "-c", f"user.email={who.lower()}@example.com")


def on_a_branch(folder: Path, who: str, by: str | None = None, file: str = FILE) -> None:
    git(folder, "checkout", "-q", "-b", "sign")
    (folder / "registry/evidence").mkdir(exist_ok=True)
    (folder / file).write_text(signed(by or who))
    git(folder, "add", ".")
    git(folder, *as_of(who), "commit", "-q", "-m", "Sign for legal-1")
    git(folder, "checkout", "-q", "main")


def merged(folder: Path, who: str, message: str = "Merge the sign-off") -> None:
    git(folder, *as_of(who), "merge", "-q", "--no-ff", "sign", "-m", message)


def problems(folder: Path) -> list[str]:
    return [f"{one.file}: {one.problem}" for one in unproven(Git(folder), "HEAD")]


@pytest.fixture
def folder(repositories: Repositories) -> Path:
    return repositories.mine


def test_one_who_signs_and_another_who_merges_are_proof(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    merged(folder, "Ada")

    assert problems(folder) == []


def test_one_who_merges_their_own_is_none(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    merged(folder, "Grace")

    (problem,) = problems(folder)
    assert problem.startswith(f"{FILE}: Grace wrote it and let it in; another person merges it")


def test_one_who_pushes_it_straight_to_the_branch_is_none(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    git(folder, "merge", "-q", "--ff-only", "sign")

    assert len(problems(folder)) == 1


def test_another_name_with_the_same_address_is_the_same_person(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    git(
        folder,
        "-c",
        "user.name=Grace H.",
        "-c",
        "user.email=grace@example.com",
        "merge",
        "-q",
        "--no-ff",
        "sign",
        "-m",
        "M",
    )

    assert len(problems(folder)) == 1


def test_who_is_named_by_a_trailer_of_the_merge_let_it_in(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    merged(folder, "Grace", "Merge it\n\nApproved-by: Linus <linus@example.com>")

    assert problems(folder) == []


def test_a_trailer_on_the_branch_itself_is_no_approval(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    git(folder, "checkout", "-q", "sign")
    git(folder, *as_of("Grace"), "commit", "-q", "--amend", "-m", "Sign\n\nApproved-by: Linus <linus@example.com>")
    git(folder, "checkout", "-q", "main")
    merged(folder, "Grace")

    assert len(problems(folder)) == 1


def test_a_squash_by_a_forge_needs_its_approver_named(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    git(folder, "merge", "-q", "--squash", "sign")
    forge = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.com")
    git(folder, *forge, "commit", "-q", "--author", "Grace <grace@example.com>", "-m", "Sign (#7)")
    assert len(problems(folder)) == 1

    amended = "Sign (#7)\n\nReviewed-by: Linus <linus@example.com>"
    git(folder, *forge, "commit", "-q", "--amend", "--author", "Grace <grace@example.com>", "-m", amended)
    assert problems(folder) == []


def test_what_was_changed_after_it_was_let_in_is_unproven_again(folder: Path) -> None:
    on_a_branch(folder, "Grace")
    merged(folder, "Ada")
    (folder / FILE).write_text(signed("Grace").replace("2026", "2036"))
    git(folder, *as_of("Ada"), "commit", "-q", "-a", "-m", "It holds longer")

    (problem,) = problems(folder)
    assert "Ada wrote it and let it in" in problem


@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_merge_itself_wrote_is_nobodys_that_another_let_in(folder: Path, is_new: bool) -> None:
    on_a_branch(folder, "Grace", file="README.md" if is_new else FILE)
    git(folder, "merge", "-q", "--no-ff", "--no-commit", "sign")
    (folder / "registry/evidence").mkdir(exist_ok=True)
    (folder / FILE).write_text(signed("Grace").replace("2026", "2036"))
    git(folder, "add", ".")
    git(folder, *as_of("Ada"), "commit", "-q", "-m", "Merge the sign-off")

    (problem,) = problems(folder)
    assert problem.startswith(f"{FILE}: was written in a merge itself")


def test_who_signs_for_somebody_whom_git_does_not_know_of_it_is_named(folder: Path) -> None:
    on_a_branch(folder, "Grace", by="Linus")
    merged(folder, "Ada")

    assert problems(folder) == [f"{FILE}: is by Linus, whom git does not know of it: Grace wrote it, Ada let it in"]


def test_a_sign_off_under_another_name_than_its_roles_is_named(folder: Path) -> None:
    on_a_branch(folder, "Grace", file="registry/evidence/legal.yaml")
    merged(folder, "Ada")

    (problem,) = problems(folder)
    assert "is a legal sign-off; name it sign-off-legal-NAME.yaml" in problem


def test_other_evidence_needs_no_second_person(folder: Path) -> None:
    (folder / "registry/evidence").mkdir()
    (folder / "registry/evidence/audit.yaml").write_text("version: 1\nkind: data-audit\ndate: 2025-11-01\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Audit")

    assert problems(folder) == []


def test_a_clone_without_history_says_so(folder: Path, tmp_path: Path) -> None:
    on_a_branch(folder, "Grace")
    merged(folder, "Ada")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{folder}", "shallow")

    assert "this clone has not the history that shows who signed" in problems(tmp_path / "shallow")[0]
