from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from sluice.cli import validate
from sluice.cli.main import run

PROJECT = Path(__file__).parent.parent.parent
REGISTRIES = Path(__file__).parent.parent / "registry"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.copytree(REGISTRIES / "right", tmp_path / "registry")
    monkeypatch.chdir(tmp_path)
    return "registry"


@pytest.fixture
def wrong(folder: str) -> str:
    shutil.copytree(REGISTRIES / "wrong" / "weight-not-a-step", folder, dirs_exist_ok=True)
    return folder


def test_a_valid_registry_is_counted(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", folder]) == 0
    assert capsys.readouterr() == ("valid: 2 agents, 2 models, rollouts: dev\n", "")


def test_without_a_folder_the_projects_own_registry_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--today", "2025-11-06"]) == 0
    assert capsys.readouterr().out.startswith("valid: 5 agents, 7 models, rollouts: dev, production, staging")


def test_without_a_folder_every_environments_settings_are_checked_too(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(validate, "PROJECT", tmp_path)
    shutil.copy(PROJECT / "Pulumi.production.yaml", tmp_path / "Pulumi.production.yaml")
    assert run(["validate"]) == 0
    assert capsys.readouterr().err == ""

    file = tmp_path / "Pulumi.production.yaml"
    file.write_text(
        file.read_text().replace("    replicas: 3", "    replicas: three").replace("sluice:quota", "sluice:qouta")
    )

    assert run(["validate"]) == 1
    refused = capsys.readouterr().err
    assert "2 mistakes" in refused
    assert re.search(r"Pulumi\.production\.yaml:12:15: config\.sluice:gateway\.replicas: .*\[SL022\]", refused)
    assert re.search(r"Pulumi\.production\.yaml:\d+:3: config\.sluice:qouta: .*\"quota\"\? \[SL090\]", refused)
    assert run(["validate", folder]) == 0, "a folder that is named is checked alone"


def test_a_warning_is_shown_and_refuses_nothing(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(folder) / "models.yaml"
    text = file.read_text().replace("id: gpt-4o,", "id: gpt-4o, retires: 2026-06-15,")
    second = "  claude: {provider: openai, id: claude, price: {input: 0.003, output: 0.015}}\nagents:"
    file.write_text(text.replace("agents:", second, 1).replace("[gpt-4o]", "[gpt-4o, claude]"))

    assert run(["validate", folder, "--today", "2025-11-06"]) == 0
    before = capsys.readouterr()
    assert run(["validate", folder, "--today", "2026-06-14"]) == 0
    near = capsys.readouterr()
    assert run(["validate", folder, "--today", "2026-06-14", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)

    assert "retires" not in before.err
    assert "models.gpt-4o.retires" in near.err
    assert near.err.endswith("[SL061 warning]\n")
    assert near.out.endswith(" warning\n") or near.out.endswith(" warnings\n")
    assert listed["valid"] is True
    assert {"SL061"} <= {finding["rule"] for finding in listed["findings"]}


@pytest.mark.parametrize("day", ["tomorrow", "2025-02-30", "06.11.2025"])
def test_a_day_that_does_not_exist_is_used_wrongly(folder: str, day: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", folder, "--today", day]) == 2
    assert "does not match the format" in capsys.readouterr().err


def test_mistakes_are_shown_to_people_on_standard_error(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", wrong]) == 1
    assert capsys.readouterr() == (
        "",
        (
            "sluice: refused, 1 mistake:\n"
            "registry/rollouts/dev.yaml:4:40: agents.qa.weight: 30 is not a step of the ladder; "
            "the steps are 10, 25, 50, 75, 100 [SL031]\n"
        ),
    )


def test_mistakes_are_data_for_programs(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", wrong, "--format", "json"]) == 1

    output = capsys.readouterr()
    assert output.err == ""
    assert json.loads(output.out) == {
        "valid": False,
        "findings": [
            {
                "file": "registry/rollouts/dev.yaml",
                "line": 4,
                "column": 40,
                "path": "agents.qa.weight",
                "problem": "30 is not a step of the ladder",
                "remedy": "the steps are 10, 25, 50, 75, 100",
                "rule": "SL031",
                "severity": "error",
            }
        ],
    }


def test_a_valid_registry_is_data_for_programs_too(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", folder, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"valid": True, "findings": []}


@pytest.mark.parametrize("name", ["registri", "registry/models.yaml"])
@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_folder_that_is_not_there_is_used_wrongly(
    folder: str, name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Path(folder).is_dir()
    assert run(["validate", name, "--format", form]) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert f"{name} " in output.err
    assert output.err.rstrip().endswith("; name the folder that holds models.yaml")


def test_programs_are_told_when_there_is_more_than_is_listed(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(folder) / "rollouts" / "dev.yaml"
    for agents in (990, 1_100):
        file.write_text("version: 1\nenabled: true\nagents:\n" + "".join(f"  a{n}: 1\n" for n in range(agents)))

        assert run(["validate", folder, "--format", "json"]) == 1

        told = json.loads(capsys.readouterr().out)
        assert told.get("truncated", False) is (agents > 1_000)
        assert told.get("count", len(told["findings"])) == len(told["findings"])


def test_mistakes_are_annotations_on_github_with_nothing_that_could_end_them(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(folder) / "rollouts" / "dev.yaml"
    file.write_text(file.read_text().replace("weight: 10", "weight: 10%"))

    assert run(["validate", folder, "--format", "github"]) == 1
    assert capsys.readouterr() == (
        (
            "::error file=registry/rollouts/dev.yaml,line=4,col=40,title=registry::agents.qa.weight: "
            '"10%25" is not a whole number; write it as a number, without quotes or units [SL022]\n'
        ),
        "",
    )
