from __future__ import annotations

from pathlib import Path

import pytest

from sluice.cli import init
from sluice.cli.main import run
from sluice.registry import load_environment
from sluice.registry.shape import SCHEMAS
from sluice.render import render
from sluice.render.manifests import manifests


def test_a_new_project_is_whole_and_can_be_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "project"

    assert run(["init", str(folder)]) == 0

    written = [
        line.removeprefix("wrote ") for line in capsys.readouterr().out.splitlines() if line.startswith("wrote ")
    ]
    assert sorted(written) == sorted(str(path) for path in folder.rglob("*") if path.is_file())
    declared = load_environment(folder, "dev")
    assert list(declared.registry.agents) == ["support"]
    rendered = render(declared.registry, declared.rollout, declared.settings)
    assert "deployment-gateway.yaml" in manifests(rendered)


def test_nothing_that_is_there_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "registry" / "models.yaml"
    mine.parent.mkdir()
    mine.write_text("mine\n")

    assert run(["init", str(tmp_path)]) == 2

    assert "there already: registry/models.yaml; nothing was written" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "mine\n"


def test_after_an_upgrade_the_schemas_that_editors_read_are_written_anew_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["init", str(tmp_path)])
    capsys.readouterr()
    old = tmp_path / "registry/schema/models.schema.json"
    old.write_text("{}\n")
    models = tmp_path / "registry/models.yaml"
    models.write_text("mine\n")

    assert run(["init", "--schemas", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {old}\nthe schemas are those of this version\n"
    assert (old.read_bytes(), models.read_text()) == ((SCHEMAS / old.name).read_bytes(), "mine\n")
    assert run(["init", "--schemas", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "the schemas are those of this version\n"


def test_a_link_that_leads_nowhere_is_in_the_way_and_nothing_is_written_where_it_leads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "Pulumi.yaml").symlink_to(elsewhere)

    assert run(["init", str(folder)]) == 2

    assert "there already: Pulumi.yaml; nothing was written" in capsys.readouterr().err
    assert not elsewhere.exists()


def test_what_cannot_be_written_whole_leaves_no_file_and_the_next_attempt_is_not_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "registry").write_text("a file where a folder is wanted\n")

    assert run(["init", str(tmp_path)]) == 3

    assert "registry: File exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["registry"]
    (tmp_path / "registry").unlink()
    assert run(["init", str(tmp_path)]) == 0


def test_without_a_folder_the_schemas_are_those_of_the_project_that_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["init", str(tmp_path)])
    (tmp_path / "registry/schema/models.schema.json").unlink()
    monkeypatch.setattr(init, "PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path / "registry")

    assert run(["init", "--schemas"]) == 0

    assert (tmp_path / "registry/schema/models.schema.json").is_file()
    assert not (tmp_path / "registry/registry").exists()
