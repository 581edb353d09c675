"""What git says of a folder at a commit, asked once for all of its files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sluice.registry.history import contents_at

FILES = {
    "models.yaml": b"version: 1\n",
    "rollouts/dev.yaml": b"a missing\n7 blob 12\nno newline at the end",
    "rollouts/a name.yaml": "gr\u00fc\u00dfe\n".encode(),
    "empty.yaml": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder inside a repository, whose last commit has FILES in it, and a folder in the place of a file."""
    registry = tmp_path / "project" / "registry"
    for name, content in {**FILES, "folder.yaml/within": b"x"}.items():
        (registry / name).parent.mkdir(parents=True, exist_ok=True)
        (registry / name).write_bytes(content)
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tmp_path / "project"), *command], check=True)
    (registry / "models.yaml").write_text("version: 2\n")
    return registry


def test_every_file_of_a_commit_is_told_byte_for_byte_in_one_answer(folder: Path) -> None:
    assert contents_at(folder, "HEAD", tuple(FILES)) == FILES


def test_a_file_that_the_commit_does_not_have_is_left_out_and_hides_no_other(folder: Path) -> None:
    asked = ("not there.yaml", "models.yaml", "folder.yaml", "a\nb.yaml", "empty.yaml")
    assert contents_at(folder, "HEAD", asked) == {"models.yaml": b"version: 1\n", "empty.yaml": b""}


@pytest.mark.parametrize("reference", ["HEAD~1", "nothing", "HEAD:registry/models.yaml", "--help", "HEAD\nHEAD", ""])
def test_what_is_no_commit_has_no_content(folder: Path, reference: str) -> None:
    assert contents_at(folder, reference, ("models.yaml",)) is None


def test_outside_of_a_repository_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    assert contents_at(tmp_path, "HEAD", ("models.yaml",)) is None
