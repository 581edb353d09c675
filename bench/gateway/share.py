"""Who gets which part of this machine's processors.

On a machine of few processors a gateway, its client and its provider fight for them, and what is measured is the fight.
So what is measured has one half of them to itself. And a bound on what some processes get together, by Kubernetes' own
means, a control group with a quota: each given a part of a processor, workers can be added where there is only one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PERIOD_MICROSECONDS = 100_000
_FOLDERS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


@dataclass(frozen=True, slots=True)
class Halves:
    """The processors of what is measured, and those of all the others; the same where there is only one."""

    measured: frozenset[int]
    others: frozenset[int]

    def __str__(self) -> str:
        if self.measured == self.others:
            return "one processor for all"
        return (
            f"{_processors(self.measured)} for what is measured, {_processors(self.others)} for client, Redis and stub"
        )


def halves() -> Halves:
    """Deal out the processors that this process may use."""
    cpus = sorted(os.sched_getaffinity(0))
    half = len(cpus) // 2
    return Halves(frozenset(cpus[half:]), frozenset(cpus[:half] or cpus))


def _processors(cpus: frozenset[int]) -> str:
    return f"processor {min(cpus)}" if len(cpus) == 1 else f"{len(cpus)} processors"


@contextmanager
def limited(pids: Iterable[int], cpus: float) -> Iterator[None]:
    """Give processes `cpus` of processors together until the end of the block.

    Raises OSError where the machine does not let us: another user than root, or no such controller.
    """
    root = next(folder for folder in _FOLDERS if (folder / "cgroup.procs").exists())
    pids = tuple(pids)
    group = root / f"sluice-bench-{pids[0]}"
    group.mkdir()
    try:
        quota = int(cpus * _PERIOD_MICROSECONDS)
        if (group / "cpu.cfs_quota_us").exists():
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
        _move(pids, group)
        yield
    finally:
        _move(pids, root)
        group.rmdir()


def _move(pids: tuple[int, ...], group: Path) -> None:
    for pid in pids:
        if Path(f"/proc/{pid}").exists():
            (group / "cgroup.procs").write_text(str(pid))
