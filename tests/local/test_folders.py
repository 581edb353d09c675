"""As few folders as can be, each where its variable says, else where this kind of thing is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.folders import PROJECT, cache_folder, pulumi_folder, state_folder


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_CACHE", "SLUICE_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")


def test_the_project_is_the_checkout() -> None:
    assert (PROJECT / "Pulumi.yaml").is_file()


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
