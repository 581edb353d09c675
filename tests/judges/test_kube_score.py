"""kube-score with every check it has, the optional ones too, over all objects of an environment together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.local.toolchain import JudgeTools
from tests.judges.exceptions import Finding, Judge, unexcused, unused
from tests.judges.judged import objects_in, run

_CRITICAL = 1


def every_check(tools: JudgeTools) -> list[str]:
    """The options that turn on the checks that are off."""
    listed = [line.split(",") for line in run(tools.kube_score, "list").splitlines()]
    optional = [words[0] for words in listed if words[-1] == "optional"]
    assert len(listed) > len(optional) > 0
    return [word for check in optional for word in ("--enable-optional-test", check)]


def judge(tools: JudgeTools, name: str, files: list[str]) -> list[Finding]:
    scored = run(tools.kube_score, "score", "--output-format", "json", *every_check(tools), *files)
    return [
        Finding(
            Judge.KUBE_SCORE,
            check["check"]["id"],
            f"{name}/{item['type_meta']['kind']}/{item['object_meta']['name']}",
            "; ".join(dict.fromkeys(comment["summary"] for comment in check["comments"] or ())),
        )
        for item in json.loads(scored)
        for check in item["checks"]
        if check["grade"] <= _CRITICAL and not check["skipped"]
    ]


@pytest.fixture(scope="module")
def findings(tools: JudgeTools, folders: dict[str, Path]) -> list[Finding]:
    return [found for name, folder in folders.items() for found in judge(tools, name, objects_in(folder))]


def test_nothing_is_critical_but_what_is_excused(findings: list[Finding]) -> None:
    assert "\n".join(map(str, unexcused(findings))) == ""


def test_every_exception_excuses_something(findings: list[Finding]) -> None:
    assert unused(Judge.KUBE_SCORE, findings) == []


def test_a_container_that_can_write_its_root_is_found(
    tools: JudgeTools, tmp_path: Path, folders: dict[str, Path]
) -> None:
    whole = (folders["production"] / "deployment-gateway.yaml").read_text()
    broken = tmp_path / "deployment.yaml"
    broken.write_text(whole.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"))
    assert broken.read_text() != whole

    found = unexcused(judge(tools, "production", [str(broken)]))

    assert "container-security-context-readonlyrootfilesystem" in {finding.check for finding in found}
