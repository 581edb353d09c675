"""The Makefile in a checkout whose .venv is a link to another one's, as a git worktree has it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    """A checkout that is younger than the environment that it links to."""
    (tmp_path / "main" / ".venv").mkdir(parents=True)
    (tmp_path / "main" / ".venv" / "complete").touch()
    folder = tmp_path / "worktree"
    (folder / "requirements").mkdir(parents=True)
    for file in ("Makefile", "pyproject.toml", "requirements/development.lock"):
        shutil.copy(PROJECT / file, folder / file)
    (folder / ".venv").symlink_to(tmp_path / "main" / ".venv")
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_pages_are_made_with_the_environment_that_is_there(worktree: Path) -> None:
    planned = make(worktree, "--dry-run", "docs")

    assert planned.stdout.splitlines() == [".venv/bin/python -m sluice.registry.documentation docs"]


def test_the_code_of_the_worktree_is_what_runs(worktree: Path) -> None:
    python = worktree.parent / "main" / ".venv" / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$PYTHONPATH"\n')
    python.chmod(0o755)

    assert make(worktree, "docs").stdout.splitlines() == [str(worktree)]


def test_a_link_that_leads_nowhere_is_said(worktree: Path) -> None:
    shutil.rmtree(worktree.parent / "main")

    ran = make(worktree, "docs")

    assert ran.returncode != 0
    assert ".venv leads to no whole environment" in ran.stderr


def test_without_a_link_an_environment_that_is_older_than_its_lock_is_made_anew(worktree: Path) -> None:
    (worktree / ".venv").unlink()

    assert any("-m venv .venv" in line for line in make(worktree, "--dry-run", "docs").stdout.splitlines())
