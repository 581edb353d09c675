"""A build is named by everything that it is made from, and by nothing else."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from sluice.local.toolchain import catalog, go_build
from sluice.local.toolchain.catalog import BUILD_ORDER, PAUSE, PYTHON_HOST, GoTool, ModuleFile
from sluice.local.toolchain.go_build import key

MODULE_FILES = [
    (tool, file.relative_to(tool.source).as_posix())
    for tool in BUILD_ORDER
    for file in sorted(tool.source.rglob("*"))
    if file.is_file()
]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the modules, from which the tools are built now."""
    folder = tmp_path / "modules"
    shutil.copytree(catalog.MODULES, folder)
    monkeypatch.setattr(catalog, "MODULES", folder)
    return folder


def keys() -> dict[str, str]:
    return {tool.name: key(tool) for tool in BUILD_ORDER}


def test_every_tool_has_a_key_of_its_own() -> None:
    assert len(set(keys().values())) == len(BUILD_ORDER)
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in keys().values())


@pytest.mark.parametrize(("tool", "file"), MODULE_FILES, ids=[f"{tool.name}/{file}" for tool, file in MODULE_FILES])
def test_a_changed_module_file_changes_its_tools_key_alone(tool: GoTool, file: str, copy: Path) -> None:
    before = keys()

    with (copy / tool.name / file).open("a") as content:
        content.write("\n")

    after = keys()
    assert {name for name in before if before[name] != after[name]} == {tool.name}


def test_a_file_that_comes_goes_or_is_renamed_changes_the_key(copy: Path) -> None:
    seen = [key(PAUSE)]
    further = copy / "pause" / "signals.go"
    further.write_text("package main\n")
    seen.append(key(PAUSE))
    further.rename(further.with_name("waiting.go"))
    seen.append(key(PAUSE))
    (copy / "pause" / "main.go").unlink()
    seen.append(key(PAUSE))

    assert len(set(seen)) == 4


def test_where_the_modules_lie_and_when_they_were_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys()
    shutil.copytree(catalog.MODULES, tmp_path / "elsewhere")
    monkeypatch.setattr(catalog, "MODULES", tmp_path / "elsewhere")
    for file in tmp_path.glob("elsewhere/*/*"):
        os.utime(file, (1, 1))

    assert keys() == before


CHANGES: dict[str, Any] = {
    "name": "python-host",
    "title": "another",
    "binary": "another",
    "package": "example.com/another",
    "variables": {"example.com/version.Version": "v2"},
    "links": ("another",),
    "scripts": (ModuleFile("example.com/module", "script"),),
    "embedded": (ModuleFile("example.com/module", "schema.json"),),
}


def test_every_part_of_how_a_tool_is_put_together_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(CHANGES) == {field.name for field in fields(GoTool) if field.repr}

    different = {key(replace(PAUSE, **{field: value})) for field, value in CHANGES.items()}
    different.add(key(PAUSE))
    monkeypatch.setattr(go_build, "_BUILD_FLAGS", ("-trimpath",))
    different.add(key(PAUSE))

    assert len(different) == len(CHANGES) + 2


def test_the_same_description_written_anew_has_the_same_key() -> None:
    again = replace(PYTHON_HOST, variables=dict(PYTHON_HOST.variables), scripts=(*PYTHON_HOST.scripts,))

    assert again is not PYTHON_HOST
    assert key(again) == key(PYTHON_HOST)


def test_a_folder_in_a_module_counts_by_its_files(copy: Path) -> None:
    before = key(PAUSE)
    folder = copy / "pause" / "waiting"
    folder.mkdir()
    empty = key(PAUSE)
    (folder / "waiting.go").write_text("package waiting\n")

    assert empty == before
    assert key(PAUSE) != before
