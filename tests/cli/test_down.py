"""`sluice down`: the local cluster is stopped, a cluster of a person's own is left standing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.deploy.engine import Update
from sluice.deploy.errors import MissingPassphrase
from sluice.deploy.target import Target
from sluice.local import cluster
from sluice.local.cluster.errors import LeftBehind


@pytest.fixture
def did(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What was stopped or destroyed."""
    done: list[Any] = []

    def stop(progress: object, state: Path, *, purge: bool) -> None:
        done.append(("stopped", state, purge))

    def destroy(environment: str, where: Target, progress: object) -> Update:
        done.append(("destroyed", environment, where))
        return Update({}, {"delete": 9}, 1.0)

    monkeypatch.setattr(cluster, "down", stop)
    monkeypatch.setattr("sluice.cli.down.tear_down", destroy)
    monkeypatch.setenv("SLUICE_STATE", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return done


@pytest.mark.parametrize(("arguments", "purge"), [([], False), (["dev"], False), (["--purge"], True)])
def test_the_local_cluster_is_stopped_and_its_data_kept_unless_told_otherwise(
    arguments: list[str], purge: bool, did: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["down", *arguments]) == 0
    assert did == [("stopped", tmp_path, purge)]
    assert capsys.readouterr().out == ""


def test_the_local_clusters_own_kubeconfig_does_not_make_it_a_cluster_of_ones_own(
    did: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    assert run(["down"]) == 0
    assert did == [("stopped", tmp_path, False)]


def test_in_a_cluster_of_ones_own_only_the_environment_is_removed(
    did: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/made/kubeconfig")

    assert run(["down", "staging", "--context", "there", "--yes"]) == 0

    assert did == [("destroyed", "staging", Target(Path("/made/kubeconfig"), "there", is_local=False))]
    assert capsys.readouterr() == ("", "  9 deleted\n")


def test_an_environment_other_than_dev_is_not_destroyed_without_a_yes(
    did: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    assert run(["down", "production", "--context", "there"]) != 0

    assert did == []
    assert "Destroy production in context there" in capsys.readouterr().err


def test_what_could_not_be_cleared_up_is_said(
    did: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise LeftBehind(["the mount /var/lib/sluice/pods/a"])

    monkeypatch.setattr(cluster, "down", stop)

    assert run(["down"]) == 3
    assert capsys.readouterr().err.startswith("sluice: could not be cleared up: the mount /var/lib/sluice/pods/a. Run")


def test_a_passphrase_that_is_missing_is_said(
    did: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def destroy(*_: object) -> Update:
        raise MissingPassphrase("production")

    monkeypatch.setattr("sluice.cli.down.tear_down", destroy)

    assert run(["down", "production", "--context", "there", "--yes"]) == 3
    assert "Pulumi.production.yaml: its secrets are encrypted" in capsys.readouterr().err
