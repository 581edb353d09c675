"""prometheus-operator takes the rules, by the code that its admission webhook runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.toolchain import JudgeTools
from tests.judges.judged import run

# What it must find in rules that are right otherwise: the text, what stands in its place, and what is said of it.
BROKEN = {
    "an expression that does not parse": ("expr: ", "expr: )", "could not parse expression"),
    "a duration that is none": ('for: "10m"', 'for: "10 minutes"', 'unknown unit " minutes" in duration'),
    "a field that is spelled wrongly": ("annotations:", "annotation:", 'unknown field "annotation"'),
    "a template that does not parse": ("{{ $labels.agent }}", "{{ $labels.agent ", "template: __alert_Sluice"),
}


def test_the_operator_takes_the_rules(tools: JudgeTools, folders: dict[str, Path]) -> None:
    files = [file for folder in folders.values() for file in sorted(folder.glob("prometheusrule-*.yaml"))]

    assert len(files) == 3, "staging, production, and everything that can be switched on"
    assert run(tools.rules, *files) == ""


@pytest.mark.parametrize("mistake", BROKEN)
def test_the_operator_refuses(mistake: str, tools: JudgeTools, folders: dict[str, Path], tmp_path: Path) -> None:
    whole = (folders["production"] / "prometheusrule-sluice.yaml").read_text()
    right, wrong, said = BROKEN[mistake]
    broken = whole.replace(right, wrong, 1)
    assert broken != whole
    (tmp_path / "rule.yaml").write_text(broken)

    assert said in run(tools.rules, tmp_path / "rule.yaml")
