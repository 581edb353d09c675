"""One process, measured: what it computed, how long it took, how much memory it had."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# Where a shell wants no bytecode kept, ours would be compiled in each process and an installed peer's in none.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: the seconds it computed, those by the clock, the most memory it had in MiB, and how it ended."""

    seconds: float
    clock_seconds: float
    memory_mib: float
    exit_code: int


@dataclass(frozen=True, slots=True)
class Computing:
    """A process that still runs: the id of its parent, and the seconds that it has computed."""

    parent: int
    cpu_seconds: float


def computing(pid: int) -> Computing:
    """Read what Linux counts of a process (man 5 proc_pid_stat). Raises OSError where it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Computing(int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND)


def measure(command: Sequence[str], *, expected: int = 0) -> Measured:
    """Run a command in the project's folder; end the benchmark where it does not end as expected."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    clock_seconds, exit_code = time.perf_counter() - begun, os.waitstatus_to_exitcode(status)
    measured = Measured(usage.ru_utime + usage.ru_stime, clock_seconds, usage.ru_maxrss / 1024, exit_code)
    process.returncode = measured.exit_code
    if measured.exit_code != expected:
        sys.exit(f"{' '.join(command)} ended with {measured.exit_code}:\n{output.decode()[-2000:]}")
    return measured


def fastest(measured: Sequence[Measured]) -> Measured:
    """Return the one that computed least: it has the least of what else the machine did."""
    return min(measured, key=lambda each: each.seconds)
