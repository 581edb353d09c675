"""A bound on the processor that some processes get together, by Kubernetes' own means: a control group with a quota.

On a machine of few processors, workers, their client and their provider fight for them, and a second worker shows
nothing but that. Each given a part of one, workers can be added while there is room for the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PERIOD_MICROSECONDS = 100_000
_FOLDERS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


@contextmanager
def limited(pids: Iterable[int], cpus: float) -> Iterator[None]:
    """Give processes `cpus` of processors together until the end of the block.

    Raises OSError where the machine does not let us: another user than root, or no such controller.
    """
    root = next(folder for folder in _FOLDERS if (folder / "cgroup.procs").exists())
    group = root / f"sluice-bench-{os.getpid()}"
    group.mkdir()
    pids = tuple(pids)
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
