"""Which answers are scored: drawn when a request comes in, before its user, arm or answer is known.

So both arms are sampled by the same rule, and a mean over the sample is a mean over the arm. The share is kept while
traffic is low; above `per_second` it falls by itself, since no replica scores more than that.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable


class Sampling:
    """The draw for one agent: a share of requests, and at most so many a second over a burst of one second."""

    def __init__(
        self,
        share: float,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._share = share
        self._per_second = per_second
        self._burst = max(1.0, per_second)
        self._clock = clock
        self._draw = draw
        self._left = self._burst
        self._at = clock()

    def takes(self) -> bool:
        """Draw for one request."""
        if self._share < 1.0 and self._draw() >= self._share:
            return False
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
