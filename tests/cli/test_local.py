"""`sluice local`: the cluster of this machine, started, stopped and looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.main import run
from sluice.local import cluster
from sluice.local.cluster import ClusterStatus, ComponentStatus, Condition, Name, Restart, UpResult, Why
from sluice.local.cluster.errors import Busy, PortInUse

RUNNING = ClusterStatus(
    (
        ComponentStatus("etcd", Condition.RUNNING, 4211, 187.9, 63.4),
        ComponentStatus("kube-apiserver", Condition.RUNNING, 4212, 4.24, 512.6),
    ),
    node_is_ready=True,
)
BROKEN = ClusterStatus(
    (ComponentStatus("etcd", Condition.RUNNING, 4211, 60.0, 63.0), ComponentStatus("kubelet", Condition.DEAD)),
    node_is_ready=False,
)
STOPPED = ClusterStatus((ComponentStatus("etcd", Condition.STOPPED),), node_is_ready=None)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_STATE", str(tmp_path))
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


def show(status: ClusterStatus, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(cluster, "status", lambda _: status)
    return run(["local", "status", *arguments])


def test_up_says_what_runs_and_how_to_use_it(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = UpResult(("kubelet",), ("etcd", "kube-apiserver"), (Restart("coredns", Why.DIED),))
    monkeypatch.setattr("sluice.cli.local.start_local_cluster", lambda _: result)

    assert run(["local", "up"]) == 0
    assert capsys.readouterr().out == (
        f"4 components run, 2 of them from before\nexport KUBECONFIG={state}/kubeconfig\n"
    )


def test_up_says_what_stands_in_its_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def start(_: object) -> UpResult:
        raise PortInUse(6443, "tcp", address="127.0.0.1", pid=77, program="another")

    monkeypatch.setattr("sluice.cli.local.start_local_cluster", start)

    assert run(["local", "up"]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("sluice: port 6443/tcp on 127.0.0.1 is in use by another (pid 77)")


@pytest.mark.parametrize("purge", [False, True])
def test_down_keeps_the_data_unless_told_otherwise(purge: bool, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(cluster, "down", lambda progress, state, *, purge: calls.append((state, purge)))

    assert run(["local", "down", *(["--purge"] if purge else [])]) == 0
    assert calls == [(state, purge)]


def test_down_says_that_somebody_else_is_at_work(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def down(*_: object, **__: object) -> None:
        raise Busy(state / "lock", "99")

    monkeypatch.setattr(cluster, "down", down)

    assert run(["local", "down"]) == 3
    assert "being started or stopped by pid 99" in capsys.readouterr().err


def test_a_cluster_that_is_up_is_a_yes(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(RUNNING, monkeypatch) == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["component", "is", "pid", "since", "MiB"]
    assert lines[1] == ["etcd", "running", "4211", "3", "min", "7", "s", "63"]
    assert lines[2] == ["kube-apiserver", "running", "4212", "4.2", "s", "513"]
    assert " ".join(lines[-1]).startswith(f"node: ready; state: {state};")


def test_a_component_that_died_is_named_and_the_answer_is_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(BROKEN, monkeypatch) == 1

    said = capsys.readouterr().out
    assert ["kubelet", "dead"] in [line.split() for line in said.splitlines()]
    assert "node: not ready" in said


def test_a_cluster_that_is_stopped_is_a_no(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(STOPPED, monkeypatch) == 1
    assert "node: unknown" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "code"), [(RUNNING, 0), (BROKEN, 1), (STOPPED, 1)])
def test_the_status_is_data_for_programs(
    status: ClusterStatus, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(status, monkeypatch, "--format", "json") == code

    output = capsys.readouterr()
    assert output.err == ""
    found = json.loads(output.out)
    assert list(found) == ["up", "components", "node_is_ready"]
    assert (found["up"], found["node_is_ready"]) == (code == 0, status.node_is_ready)
    assert found["components"] == [
        {
            "name": part.name,
            "condition": part.condition.value,
            "pid": part.pid,
            "uptime_seconds": part.uptime_seconds,
            "resident_mib": part.resident_mib,
        }
        for part in status.components
    ]


def test_without_a_cluster_every_component_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "status", "--format", "json"]) == 1

    found = json.loads(capsys.readouterr().out)
    assert {part["name"]: part["condition"] for part in found["components"]} == dict.fromkeys(Name, "stopped")


def test_logs_are_shown_line_by_line(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.log_file(state, Name.ETCD).parent.mkdir(parents=True)
    cluster.log_file(state, Name.ETCD).write_text("one\ntwo\nthree\n")

    assert run(["local", "logs", "etcd", "--lines", "2"]) == 0
    assert capsys.readouterr() == ("two\nthree\n", "")


def test_logs_of_a_component_that_there_is_not_are_asked_for_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "logs", "etdc"]) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("sluice: etdc is no component of the local cluster; there are ")


def test_how_many_lines_is_a_number_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "logs", "--lines", "0"]) == 2
    assert "Invalid value for '--lines'" in capsys.readouterr().err
