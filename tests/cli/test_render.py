from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sluice.cli.main import run

PROJECT = Path(__file__).parent.parent.parent


def test_an_environment_is_written_and_the_second_time_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["render", "dev", "--out", "out"]) == 0
    first = capsys.readouterr().out.splitlines()
    assert run(["render", "dev", "--out", "out"]) == 0
    second = capsys.readouterr().out

    reviewed = sorted(file.name for file in (PROJECT / "manifests" / "dev").iterdir())
    assert first[:-1] == [f"wrote out/{name}" for name in reviewed]
    assert first[-1] == f"out: {len(reviewed)} files, {len(reviewed)} changed, 0 removed"
    assert second == f"out: {len(reviewed)} files, 0 changed, 0 removed\n"
    assert (tmp_path / "out" / "configmap-flags.yaml").read_text() == (
        PROJECT / "manifests" / "dev" / "configmap-flags.yaml"
    ).read_text()


def test_what_was_written_is_data_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(["render", "dev", "--out", "out"])
    capsys.readouterr()

    assert run(["render", "staging", "--out", "out", "--format", "json"]) == 0

    written = json.loads(capsys.readouterr().out)
    assert (written["environment"], written["folder"]) == ("staging", "out")
    assert written["removed"] == [
        "configmap-guard-config.yaml",
        "configmap-prometheus-config.yaml",
        "configmap-rollbacks.yaml",
        "deployment-cache.yaml",
        "deployment-prometheus.yaml",
        "deployment-sluice-guard.yaml",
        "deployment-stub-provider.yaml",
        "lease-sluice-guard.yaml",
        "namespace-sluice-dev.yaml",
        "networkpolicy-cache.yaml",
        "networkpolicy-prometheus.yaml",
        "networkpolicy-sluice-guard.yaml",
        "networkpolicy-stub-provider.yaml",
        "service-cache.yaml",
        "service-gateway-metrics.yaml",
        "service-prometheus.yaml",
        "service-sluice-guard-metrics.yaml",
        "service-stub-provider.yaml",
        "validatingadmissionpolicy-sluice-dev.yaml",
        "validatingadmissionpolicybinding-sluice-dev.yaml",
    ]
    assert "namespace-sluice-staging.yaml" in written["changed"]
    assert sorted(written["changed"] + written["unchanged"]) == sorted(file.name for file in Path("out").iterdir())


def test_another_registry_is_rendered_with_the_environments_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECT / "registry", tmp_path / "registry")
    file = tmp_path / "registry" / "rollouts" / "dev.yaml"
    file.write_text(file.read_text().replace("qa-20251031, weight: 50", "qa-20251031, weight: 25"))

    assert run(["render", "dev", "--registry", str(tmp_path / "registry"), "--out", str(tmp_path / "out")]) == 0

    assert '["candidate", 25]' in (tmp_path / "out" / "configmap-flags.yaml").read_text()


def test_a_wrong_registry_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(PROJECT / "registry", "registry")
    file = Path("registry/rollouts/dev.yaml")
    file.write_text(file.read_text().replace("  qa: {", "  q: {"))

    assert run(["render", "dev", "--registry", "registry", "--out", "out"]) == 1

    assert capsys.readouterr() == (
        "",
        (
            "sluice: refused, 1 mistake:\n"
            'registry/rollouts/dev.yaml:6:3: agents.q: no agent is named "q"; did you mean "qa"? [SL030]\n'
        ),
    )
    assert not Path("out").exists()


def test_an_environment_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "prodution"]) == 2
    assert capsys.readouterr().err == (
        "sluice: there is no environment 'prodution'; did you mean production? "
        "the environments are dev, production, staging\n"
    )


def test_a_path_is_no_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "../x"]) == 2
    assert capsys.readouterr().err == (
        "sluice: there is no environment '../x'; the environments are dev, production, staging\n"
    )
