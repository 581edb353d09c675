"""`sluice env`: exports for a shell, without a secret that is there already."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.deploy.engine import DEV_PASSPHRASE, Engine
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import Target
from sluice.local.toolchain import KubernetesTools, PulumiTools

OWN = "not to be printed"


@pytest.fixture(autouse=True)
def _nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name == "KUBECONFIG" or name.startswith(("PULUMI_", "SLUICE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("SLUICE_STATE", str(tmp_path / "the state"))
    tools = PulumiTools(Path("/made/pulumi"), {"PATH": "/made/bin:/usr/bin:/bin", "PULUMI_SKIP_UPDATE_CHECK": "true"})

    def by_hand(environment: str, where: Target, progress: Any) -> Engine:
        declared_environment(environment)
        progress.say("working")
        state = tmp_path / "the state" / "pulumi" / "id"
        variables = {**where.variables(), "SLUICE_GATEWAY_IMAGE": "sluice.local/gateway@sha256:1"}
        return Engine(tools, tmp_path, environment, state, variables)

    monkeypatch.setattr("sluice.cli.variables.engine_by_hand", by_hand)
    monkeypatch.setattr(Target, "connect", lambda _: None)
    kubernetes = KubernetesTools(Path("/made/kube"), Path("/made/coredns"), Path("/made/pause"))
    monkeypatch.setattr("sluice.cli.variables.ensure_kubernetes", lambda cache, progress: kubernetes)


def exported(text: str) -> dict[str, str]:
    """Let a shell read the lines, and return what they make of its environment."""
    ran = subprocess.run(
        ["/bin/sh", "-euc", f"{text}\nexec /usr/bin/env -0"], env={}, capture_output=True, text=True, check=True
    )
    return dict(pair.split("=", 1) for pair in ran.stdout.split("\0") if pair)


def test_a_shell_gets_what_kubectl_and_pulumi_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env"]) == 0

    output = capsys.readouterr()
    given = exported(output.out)
    assert given.pop("PWD", None) is not None
    assert given == {
        "PATH": "/made/kube:/made/bin:/usr/bin:/bin",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": f"{tmp_path}/the state/kubeconfig",
        "SLUICE_NODE_PORTS_AT": "127.0.0.1",
        "SLUICE_GATEWAY_IMAGE": "sluice.local/gateway@sha256:1",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/the state/pulumi/id",
        "PULUMI_CONFIG_PASSPHRASE": DEV_PASSPHRASE,
    }
    assert output.err == "working\n", "a shell evaluates standard output alone"


def test_in_a_cluster_of_ones_own_kubectl_is_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/made/kubeconfig")

    assert run(["env", "--context", "there"]) == 0

    given = exported(capsys.readouterr().out)
    assert given["PATH"] == "/made/bin:/usr/bin:/bin"
    assert given["SLUICE_CONTEXT"] == "there"
    assert "KUBECONFIG" not in given, "it is set already"


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_a_passphrase_of_ones_own_is_not_printed(
    environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", OWN)

    assert run(["env", environment]) == 0

    output = capsys.readouterr()
    assert "PULUMI_CONFIG_PASSPHRASE" not in output.out
    assert OWN not in output.out + output.err


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_the_file_of_a_passphrase_is_left_to_pulumi(
    environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "passphrase"
    file.write_text(OWN)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(file))

    assert run(["env", environment]) == 0

    assert "PASSPHRASE" not in capsys.readouterr().out


def test_without_a_passphrase_none_is_invented(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "production"]) == 0

    assert "PASSPHRASE" not in capsys.readouterr().out


def test_a_second_time_only_what_changed_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["env"])
    for name, value in exported(capsys.readouterr().out).items():
        if name != "PATH":
            monkeypatch.setenv(name, value)

    assert run(["env"]) == 0
    assert list(exported(capsys.readouterr().out)) in (["PATH"], ["PATH", "PWD"], ["PWD", "PATH"])


def test_a_wrong_environment_is_a_wrong_use_and_nothing_is_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "stagin"]) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert "there is no environment 'stagin'; did you mean staging?" in output.err
