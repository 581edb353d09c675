"""How much a piece of work computes, in a measure that neither a slow nor a busy machine changes.

Seconds say as much about the machine as about the work, so a test that holds them fails on a bad day. Here the work
is held against a fixed piece of work beside it; only what this thread computes counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_ROUNDS = 3


def loops(work: Callable[[], object]) -> float:
    """Return how many turns of a plain loop compute as long as `work` does: the least of three rounds."""
    return min(_seconds(work) / _seconds(_ten_thousand_turns) for _ in range(_ROUNDS)) * 10_000


def growth(work: Callable[[int], object], size: int) -> float:
    """Return how many times as much `work` computes at four times the size; in proportion, that is 4."""
    return min(_seconds(lambda: work(4 * size)) / _seconds(lambda: work(size)) for _ in range(_ROUNDS))


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _ten_thousand_turns() -> None:
    total = 0
    for number in range(10_000):
        total += number
