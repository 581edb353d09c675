"""What a hypervisor gave to other machines of the processors that this one wanted, which no measurement here can help.

From Linux' /proc/stat (man 5 proc_stat): the times of all processors since the start, in ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_IDLE, _IOWAIT, _STEAL = 3, 4, 7
_GUEST = 8
"""From here on, times are in those before too."""


@dataclass(slots=True)
class Stolen:
    """The share, 0 to 1, of the time that this machine wanted processors for."""

    share: float = 0.0


@contextmanager
def stolen() -> Iterator[Stolen]:
    """Say at the end of the block what was stolen in it."""
    before, found = _ticks(), Stolen()
    yield found
    passed = [after - at_first for at_first, after in zip(before, _ticks(), strict=True)]
    wanted = sum(passed[:_GUEST]) - passed[_IDLE] - passed[_IOWAIT]
    found.share = passed[_STEAL] / wanted if wanted else 0.0


def _ticks() -> list[int]:
    with Path("/proc/stat").open() as file:
        return [int(ticks) for ticks in file.readline().split()[1:]]
