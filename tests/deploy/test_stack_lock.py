"""Whose lock is stale: only one whose holder is known to be gone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.deploy.errors import StackLocked, StackLockedElsewhere
from sluice.deploy.stack_lock import release_stale_locks


@pytest.fixture
def running_pulumi(tmp_path: Path) -> Iterator[int]:
    """The pid of a process whose program is called pulumi."""
    program = tmp_path / "pulumi"
    shutil.copy2("/bin/sleep", program)
    process = subprocess.Popen([program, "60"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def dead_pid() -> int:
    """A pid that no process has: of one that was waited for."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


def lock(state: Path, pid: int, *, stack: str = "dev", host: str | None = None, name: str = "1f0c") -> Path:
    """Write a lock as Pulumi's file backend does."""
    file = state / ".pulumi" / "locks" / "organization" / "sluice" / stack / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    holder = {
        "pid": pid,
        "username": "ada",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-03-01T10:00:00Z",
    }
    file.write_text(json.dumps(holder))
    file.with_name(f"{file.name}.attrs").write_text("{}")
    return file


def test_without_locks_there_is_nothing_to_release(tmp_path: Path) -> None:
    assert release_stale_locks(tmp_path, "dev") is False
    assert release_stale_locks(tmp_path / "absent", "dev") is False


def test_the_lock_of_a_process_that_is_gone_is_removed_with_its_attributes(tmp_path: Path, dead_pid: int) -> None:
    file = lock(tmp_path, dead_pid)

    assert release_stale_locks(tmp_path, "dev") is True
    assert list(file.parent.iterdir()) == []
    assert release_stale_locks(tmp_path, "dev") is False


def test_the_lock_of_a_running_pulumi_stands_and_says_whose_it_is(tmp_path: Path, running_pulumi: int) -> None:
    file = lock(tmp_path, running_pulumi)

    with pytest.raises(
        StackLocked,
        match=rf"^stack dev is being updated by process {running_pulumi} since 2026-03-01T10:00:00Z; "
        r"wait until it ends, then run this again$",
    ):
        release_stale_locks(tmp_path, "dev")
    assert file.is_file()


def test_a_running_pulumi_whose_binary_was_replaced_still_holds_its_lock(tmp_path: Path, running_pulumi: int) -> None:
    (tmp_path / "pulumi").unlink()
    lock(tmp_path, running_pulumi)

    with pytest.raises(StackLocked, match=f"by process {running_pulumi} "):
        release_stale_locks(tmp_path, "dev")


def test_a_pid_that_another_program_has_by_now_holds_no_lock(tmp_path: Path) -> None:
    lock(tmp_path, os.getpid())

    assert release_stale_locks(tmp_path, "dev") is True


def test_half_a_lock_of_a_full_disk_is_removed_for_pulumi_cannot_read_it(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "sluice" / "dev"
    folder.mkdir(parents=True)
    half = folder / "00a175f5.json.18ea4a8de41290d5.tmp"
    half.touch()

    assert release_stale_locks(tmp_path, "staging") is False
    assert half.exists(), "another stack's locks are its own"
    assert release_stale_locks(tmp_path, "dev") is True
    assert not half.exists()


def test_a_killed_pulumi_that_nobody_has_waited_for_is_gone(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    shutil.copy2("/bin/sleep", program)
    process = subprocess.Popen([program, "60"])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    lock(tmp_path, process.pid)

    assert release_stale_locks(tmp_path, "dev") is True
    process.wait()


def test_the_lock_of_another_machine_stands(tmp_path: Path, dead_pid: int) -> None:
    file = lock(tmp_path, dead_pid, host="another-machine")

    with pytest.raises(
        StackLockedElsewhere,
        match=r"^stack dev is being updated on another-machine since 2026-03-01T10:00:00Z; .* pulumi cancel --yes",
    ):
        release_stale_locks(tmp_path, "dev")
    assert file.is_file()


def test_one_living_holder_keeps_all_locks(tmp_path: Path, dead_pid: int, running_pulumi: int) -> None:
    stale = lock(tmp_path, dead_pid, name="a")
    lock(tmp_path, running_pulumi, name="b")

    with pytest.raises(StackLocked, match=f"by process {running_pulumi} "):
        release_stale_locks(tmp_path, "dev")
    assert stale.is_file()


def test_the_lock_of_another_stack_is_not_touched(tmp_path: Path, dead_pid: int, running_pulumi: int) -> None:
    files = [lock(tmp_path, dead_pid, stack="staging"), lock(tmp_path, running_pulumi, stack="production")]

    assert release_stale_locks(tmp_path, "dev") is False
    assert all(file.is_file() for file in files)


def test_a_lock_that_ends_meanwhile_is_no_lock(
    tmp_path: Path, running_pulumi: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path, running_pulumi)
    read = Path.read_text

    def gone_when_read(file: Path) -> str:
        file.unlink()
        return read(file)

    monkeypatch.setattr(Path, "read_text", gone_when_read)

    assert release_stale_locks(tmp_path, "dev") is False


def test_a_lock_that_was_never_written_to_its_end_has_no_holder(tmp_path: Path, running_pulumi: int) -> None:
    file = lock(tmp_path, running_pulumi)
    file.write_text("")

    assert release_stale_locks(tmp_path, "dev") is True
    assert not file.exists()
