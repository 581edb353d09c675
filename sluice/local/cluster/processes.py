"""Starts processes that outlive us, recognises them later, and ends exactly those.

A pid alone says nothing: it is reused, and after a reboot it is somebody else's. A process is therefore its pid, its
start time and the boot it belongs to, and it is signalled through a pidfd that was opened before the start time was
compared.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATE_FIELD, _START_FIELD, _RESIDENT_FIELD = 0, 19, 21  # counted from behind the program's name, proc_pid_stat(5)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one boot: `start_ticks` is its start, in clock ticks since that boot."""

    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a running process is and takes."""

    uptime_seconds: float
    resident_bytes: int


def boot_id() -> str:
    """Return the id of the running boot."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def find(pid: int) -> Process | None:
    """Return the process that has `pid` now, None when there is none or it only waits to be reaped."""
    fields = _stat(pid)
    if fields is None or fields[_STATE_FIELD] in {"Z", "X"}:
        return None
    return Process(pid, int(fields[_START_FIELD]), boot_id())


def is_running(process: Process) -> bool:
    """Whether this very process still runs."""
    return find(process.pid) == process


def usage(process: Process) -> Usage | None:
    """Return how long the process has run and the memory it holds, None when it does not run."""
    fields = _stat(process.pid)
    if fields is None or not is_running(process):
        return None
    up_seconds = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    return Usage(
        uptime_seconds=max(0.0, up_seconds - process.start_ticks / _TICKS_PER_SECOND),
        resident_bytes=int(fields[_RESIDENT_FIELD]) * _PAGE_BYTES,
    )


def start(command: Sequence[str], *, environment: Mapping[str, str], log: Path, folder: Path) -> Process:
    """Start `command` in a session of its own, its output appended to `log`; its environment is `environment` alone."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    # Popen warns about a child that is dropped while it runs: that is what we want here.
    child.returncode = 0
    fields = _stat(child.pid)
    return Process(child.pid, int(fields[_START_FIELD]) if fields else 0, boot_id())


def stop(processes: Sequence[Process], *, grace_seconds: float) -> None:
    """Ask all the processes to end; kill those that still run after `grace_seconds`. Returns when all are gone."""
    with contextlib.ExitStack() as stack:
        handles = [handle for process in processes if (handle := stack.enter_context(_opened(process))) is not None]
        for handle in handles:
            _signal(handle, signal.SIGTERM)
        left = _wait(handles, grace_seconds)
        for handle in left:
            _signal(handle, signal.SIGKILL)
        # A killed process is gone at once, but for one that the kernel holds in the middle of something.
        _wait(left, 10.0)
    _reap(processes)


def kill(processes: Sequence[Process]) -> None:
    """End the processes without asking."""
    stop_signals = [process for process in processes if is_running(process)]
    with contextlib.ExitStack() as stack:
        handles = [handle for process in stop_signals if (handle := stack.enter_context(_opened(process))) is not None]
        for handle in handles:
            _signal(handle, signal.SIGKILL)
        _wait(handles, 10.0)
    _reap(processes)


def all_processes() -> Iterator[Process]:
    """Yield every process of the machine that we can see, but for this one."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            process = find(int(entry.name))
            if process is not None:
                yield process


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment the process was started with; empty for one that is gone or that we may not read."""
    try:
        content = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in content.split(b"\0") if b"=" in entry)
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, _, value in pairs}


def shares_our_network(pid: int) -> bool:
    """Whether the process lives in the network namespace that we live in."""
    try:
        return (_PROC / str(pid) / "ns/net").readlink() == (_PROC / "self/ns/net").readlink()
    except OSError:
        return False


def program_of(pid: int) -> str | None:
    """Return the short name of the program that `pid` runs."""
    try:
        return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, parentheses too: the last one ends it.
    return text.rpartition(")")[2].split()


@contextlib.contextmanager
def _opened(process: Process) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle if is_running(process) else None
    finally:
        os.close(handle)


def _signal(handle: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)


def _wait(handles: Sequence[int], seconds: float) -> list[int]:
    """Wait until every handle's process has ended, `seconds` at most; return the handles of those that have not."""
    left = set(handles)
    poll = select.poll()
    for handle in left:
        poll.register(handle, select.POLLIN)
    end = time.monotonic() + seconds
    while left and (remaining := end - time.monotonic()) > 0:
        for handle, _ in poll.poll(remaining * 1000):
            poll.unregister(handle)
            left.discard(handle)
    return [handle for handle in handles if handle in left]


def _reap(processes: Sequence[Process]) -> None:
    # Those started by this very process stay as zombies until somebody asks for their end.
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
