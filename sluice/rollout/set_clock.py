"""What time it is for whatever judges a rollout: the machine's own, or what a test has set.

A ladder takes days. A test that sends it through a real cluster in minutes sets `SLUICE_CLOCK` for the guard and for
the command: the time that is shown, the real moment at which that is shown, and how many times faster it passes.
Production knows no clock but its own: there a step must have had its time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from sluice.errors import SluiceError
from sluice.registry.policy import is_production

VARIABLE = "SLUICE_CLOCK"


class ClockSet(SluiceError):
    """A clock is set where it may not be, or is not written as one."""

    exit_code: ClassVar[int] = 2

    def __init__(self, why: str) -> None:
        super().__init__(f"{VARIABLE}: {why}")


@dataclass(frozen=True, slots=True)
class SetClock:
    """A clock that shows `shows` at the real moment `at`, and from then on is `rate` times as fast."""

    shows: datetime
    at: datetime
    rate: float

    def shown_at(self, moment: datetime) -> datetime:
        """Return what it shows at a real moment."""
        return self.shows + (moment - self.at) * self.rate

    def moment_of(self, shown: datetime) -> datetime:
        """Return the real moment at which it shows a time."""
        return self.at + (shown - self.shows) / self.rate

    @property
    def text(self) -> str:
        """The value of the variable."""
        return f"{self.shows.isoformat()} {self.at.isoformat()} {self.rate:g}"


def clock_in(environment: Mapping[str, str]) -> SetClock | None:
    """Return the clock that the variable sets, None where none is set. Raises ClockSet."""
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    try:
        shows, at, rate = text.split()
        clock = SetClock(_moment(shows), _moment(at), float(rate))
        clock.shown_at(datetime.now(UTC))
    except (ValueError, OverflowError):
        clock = None
    if clock is None or not clock.rate > 0:
        raise ClockSet(
            f"{text!r} is no clock; write the time that it shows, the moment at which it does and how many times as "
            'fast it is, as "2025-11-06T00:00:00+00:00 2025-11-07T09:30:00+00:00 240", or unset it'
        )
    return clock


def now_in(environment: str) -> datetime:
    """Return what time it is for an environment's rollouts. Raises ClockSet."""
    clock = clock_in(os.environ)
    real = datetime.now(UTC)
    if clock is None:
        return real
    if is_production(environment):
        raise ClockSet(f"{environment} is judged by no clock that is set; unset it")
    return clock.shown_at(real)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
