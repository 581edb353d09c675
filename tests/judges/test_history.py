"""gitleaks over every commit that led here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.local.toolchain import JudgeTools
from tests.judges.exceptions import GITLEAKS_CONFIGURATION, PROJECT
from tests.judges.judged import run


def leaks(tools: JudgeTools, repository: Path, report: Path) -> list[dict[str, Any]]:
    """Look at what HEAD has behind it: other branches of a clone are somebody's unfinished work."""
    run(
        *(tools.gitleaks, "git", "--no-banner", "--redact", "--config", GITLEAKS_CONFIGURATION),
        *("--log-opts", "HEAD", "--report-format", "json", "--report-path", report, repository),
    )
    found: list[dict[str, Any]] = json.loads(report.read_text())
    return found


def git(repository: Path, *arguments: str) -> str:
    made_up = ("-c", "user.name=ada", "-c", "user.email=ada@example.com")
    ran = subprocess.run(["git", *made_up, *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return ran.stdout


def test_no_commit_holds_a_secret(tools: JudgeTools, tmp_path: Path) -> None:
    if git(PROJECT, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.fail("this clone has not the whole history; get it by: git fetch --unshallow")
    found = leaks(tools, PROJECT, tmp_path / "leaks.json")

    assert [f"{leak['Commit'][:8]} {leak['File']}:{leak['StartLine']}: {leak['RuleID']}" for leak in found] == []


def test_a_key_that_was_committed_and_taken_out_again_is_found(tools: JudgeTools, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    key = "sk-proj-" + "Zk3vQ9xW2pLr7TnB" * 4  # made here, so that this file has nothing that looks like one
    (repository / "settings.py").write_text(f'OPENAI_API_KEY = "{key}"\n')
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "Add a key")
    (repository / "settings.py").write_text("")
    git(repository, "commit", "--quiet", "-am", "Take it out")

    assert [leak["File"] for leak in leaks(tools, repository, tmp_path / "leaks.json")] == ["settings.py"]
