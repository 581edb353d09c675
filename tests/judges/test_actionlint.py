"""actionlint over the workflows."""

from __future__ import annotations

import shutil
from pathlib import Path

from sluice.local.toolchain import JudgeTools
from tests.judges.exceptions import PROJECT
from tests.judges.judged import run


def test_the_workflows_have_nothing_to_complain_of(tools: JudgeTools) -> None:
    workflows = sorted((PROJECT / ".github/workflows").glob("*.yml"))

    assert [file.stem for file in workflows] == ["apply", "merge", "release", "request", "schedule"]
    assert run(tools.actionlint, "-no-color", *workflows, folder=PROJECT) == ""


def test_a_workflow_that_names_a_job_that_is_not_there_is_found(tools: JudgeTools, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / ".github", tmp_path / ".github")
    file = tmp_path / ".github/workflows/merge.yml"
    file.write_text(file.read_text().replace("needs: changed\n", "needs: changes\n"))

    assert 'needs job "changes"' in run(tools.actionlint, "-no-color", file, folder=tmp_path)
