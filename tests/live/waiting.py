"""Waiting for what a cluster comes to in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

from sluice.errors import SluiceError


def until(what: str, holds: Callable[[], object], seconds: float = 240.0, *, every_seconds: float = 0.5) -> float:
    """Wait until something holds, and return after how many seconds it did. Fails with what did not hold.

    What does not answer just now is asked again.
    """
    began, last = time.monotonic(), ""
    while True:
        try:
            if holds():
                return time.monotonic() - began
        except SluiceError as error:
            last = f"; {error}"
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}{last}"
        time.sleep(every_seconds)
