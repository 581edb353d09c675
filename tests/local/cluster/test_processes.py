from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.local.cluster import processes
from sluice.local.cluster.processes import Process

READY = "import signal, sys, time\n{first}\nprint('ready', flush=True)\ntime.sleep(60)"
DEAF = READY.format(first="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
TELLS = READY.format(first="signal.signal(signal.SIGTERM, lambda *_: (print('asked', flush=True), sys.exit(0)))")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def started() -> Iterator[list[Process]]:
    found: list[Process] = []
    yield found
    processes.kill(found)


def start(log: Path, started: list[Process], code: str) -> Process:
    process = processes.start([sys.executable, "-c", code], environment={"MARK": "a=b"}, log=log, folder=log.parent)
    started.append(process)
    end = time.monotonic() + 20
    while "ready" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < end, "the child did not get ready"
        time.sleep(0.01)
    return process


def test_a_started_process_runs_in_a_session_of_its_own_with_only_the_environment_given(
    log: Path, started: list[Process]
) -> None:
    process = start(log, started, READY.format(first=""))
    assert processes.is_running(process)
    assert os.getsid(process.pid) == process.pid
    assert processes.environment_of(process.pid)["MARK"] == "a=b"
    assert "PATH" not in processes.environment_of(process.pid)
    assert process in set(processes.all_processes())


def test_a_process_that_ended_but_was_not_reaped_does_not_run(log: Path, started: list[Process]) -> None:
    process = start(log, started, READY.format(first=""))
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}").exists()
    assert not processes.is_running(process)
    assert processes.usage(process) is None


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "another"}])
def test_a_pid_with_another_start_or_boot_is_somebody_elses_and_is_left_alone(
    log: Path, started: list[Process], change: dict[str, int | str]
) -> None:
    process = start(log, started, READY.format(first=""))
    stale = dataclasses.replace(process, **change)  # type: ignore[arg-type]
    assert not processes.is_running(stale)
    processes.stop([stale], grace_seconds=0.0)
    processes.kill([stale])
    assert processes.is_running(process)


def test_stopping_asks_first(log: Path, started: list[Process]) -> None:
    process = start(log, started, TELLS)
    processes.stop([process], grace_seconds=20.0)
    assert not processes.is_running(process)
    assert "asked" in log.read_text()


def test_one_that_does_not_listen_is_killed(log: Path, started: list[Process]) -> None:
    process = start(log, started, DEAF)
    processes.stop([process], grace_seconds=0.05)
    assert not processes.is_running(process)
    assert not Path(f"/proc/{process.pid}").exists()


def test_stopping_what_is_gone_is_no_mistake(log: Path, started: list[Process]) -> None:
    process = start(log, started, READY.format(first=""))
    processes.kill([process])
    processes.stop([process], grace_seconds=1.0)
    processes.stop([], grace_seconds=1.0)


def test_a_program_name_with_spaces_and_parentheses_is_read_rightly(tmp_path: Path) -> None:
    odd = tmp_path / "a) S (b"
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([odd, "60"])
    try:
        found = processes.find(child.pid)
        assert found is not None
        assert processes.is_running(found)
    finally:
        child.kill()
        child.wait()


def test_usage_counts_memory_and_time(log: Path, started: list[Process]) -> None:
    usage = processes.usage(start(log, started, READY.format(first="")))
    assert usage is not None
    assert usage.resident_bytes > 2**20
    assert usage.uptime_seconds >= 0
