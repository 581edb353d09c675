"""checkov's kubernetes framework, over all objects of an environment together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.local.toolchain import JudgeTools
from tests.judges.exceptions import Finding, Judge, unexcused, unused
from tests.judges.judged import run


def judge(tools: JudgeTools, name: str, folder: Path) -> list[Finding]:
    said = run(
        *(tools.python, "-I", "-m", "checkov.main", "--directory", folder),
        *("--framework", "kubernetes", "--output", "json", "--skip-download", "--compact"),
    )
    report = json.loads(said)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 0
    return [
        Finding(Judge.CHECKOV, found["check_id"], subject(name, found["resource"]), found["check_name"])
        for found in report["results"]["failed_checks"]
    ]


def subject(environment: str, resource: str) -> str:
    """checkov writes KIND.NAMESPACE.NAME; of a pod in a template, the template's labels follow."""
    kind, _, name = [*resource.split("."), "", ""][:3]
    return f"{environment}/{kind}/{name}"


@pytest.fixture(scope="module")
def findings(tools: JudgeTools, folders: dict[str, Path]) -> list[Finding]:
    return [found for name, folder in folders.items() for found in judge(tools, name, folder)]


def test_nothing_fails_but_what_is_excused(findings: list[Finding]) -> None:
    assert "\n".join(map(str, unexcused(findings))) == ""


def test_every_exception_excuses_something(findings: list[Finding]) -> None:
    assert unused(Judge.CHECKOV, findings) == []


def test_a_privileged_container_is_found(tools: JudgeTools, tmp_path: Path, folders: dict[str, Path]) -> None:
    whole = (folders["production"] / "deployment-gateway.yaml").read_text()
    broken = whole.replace("allowPrivilegeEscalation: false", "privileged: true")
    assert broken != whole
    (tmp_path / "deployment.yaml").write_text(broken)

    assert "CKV_K8S_16" in {finding.check for finding in unexcused(judge(tools, "production", tmp_path))}
