"""As few folders as can be, each where its variable says, else where this kind of thing is looked for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.local.folders import PROJECT, cache_folder, project_of, pulumi_folder, state_folder


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_CACHE", "SLUICE_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")


def project(folder: Path) -> Path:
    (folder / "registry").mkdir(parents=True)
    (folder / "Pulumi.yaml").touch()
    return folder


def test_the_project_of_the_tests_is_the_checkout() -> None:
    assert Path(__file__).parent.parent.parent == PROJECT


def test_a_command_is_about_the_nearest_project_from_its_folder_upward(tmp_path: Path) -> None:
    outer, inner = project(tmp_path / "outer"), project(tmp_path / "outer" / "teams" / "inner")
    code = project(tmp_path / "checkout")

    assert project_of(outer / "registry", code) == outer
    assert project_of(outer / "teams", code) == outer
    assert project_of(inner / "registry", code) == inner


def test_outside_of_any_project_it_is_the_checkout_of_the_code_and_else_the_folder_itself(tmp_path: Path) -> None:
    code = project(tmp_path / "checkout")
    (tmp_path / "elsewhere").mkdir()

    assert project_of(tmp_path / "elsewhere", code) == code
    assert project_of(tmp_path / "elsewhere", tmp_path / "site-packages") == tmp_path / "elsewhere"


def test_a_program_of_pulumis_without_a_registry_is_nobodys_project_of_ours(tmp_path: Path) -> None:
    outer = project(tmp_path / "outer")
    (outer / "other").mkdir()
    (outer / "other" / "Pulumi.yaml").touch()

    assert project_of(outer / "other", tmp_path) == outer


def test_a_folder_that_nobody_may_look_into_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, look = tmp_path / "locked", os.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if Path(path).parent == locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path, **options)

    monkeypatch.setattr(os, "stat", refuse)

    assert project_of(locked, tmp_path / "site-packages") == locked


def test_in_a_folder_that_is_gone_the_code_still_starts(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    program = f"import os; os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); "
    asked = f"{program}import sluice.local.folders as f; print(f.PROJECT)"
    path = {**os.environ, "PYTHONPATH": str(PROJECT)}

    said = subprocess.run([sys.executable, "-c", asked], env=path, capture_output=True, text=True, check=True).stdout

    assert said == f"{PROJECT}\n"


def test_the_cache_is_the_persons_unless_it_was_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == Path("/home/ada/.cache/sluice")
    monkeypatch.setenv("XDG_CACHE_HOME", "/big/cache")
    assert cache_folder() == Path("/big/cache/sluice")
    monkeypatch.setenv("SLUICE_CACHE", "/bigger/cache")
    assert cache_folder() == Path("/bigger/cache")


def test_the_state_is_the_machines_unless_it_was_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder() == Path("/var/lib/sluice")
    monkeypatch.setenv("SLUICE_STATE", "/big/state")
    assert state_folder() == Path("/big/state")


def test_a_variable_that_is_empty_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_CACHE", "SLUICE_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, "")

    assert cache_folder() == Path("/home/ada/.cache/sluice")
    assert state_folder() == Path("/var/lib/sluice")
    assert pulumi_folder("id", local=False) == Path("/home/ada/.local/state/sluice/pulumi/id")


def test_pulumis_state_lies_with_the_local_cluster_or_with_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pulumi_folder("id", local=True) == Path("/var/lib/sluice/pulumi/id")
    assert pulumi_folder("id", local=False) == Path("/home/ada/.local/state/sluice/pulumi/id")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ada/state")
    monkeypatch.setenv("SLUICE_STATE", "/big/state")
    assert pulumi_folder("id", local=True) == Path("/big/state/pulumi/id")
    assert pulumi_folder("id", local=False) == Path("/home/ada/state/sluice/pulumi/id")
