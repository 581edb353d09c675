"""Series as they are before a fault, while it lasts and after it was mended, in the notation of promtool's tests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phases:
    """The minutes at which a fault begins, is mended, and is no longer looked at."""

    begins: int
    mended: int
    ends: int

    def is_faulty(self, minute: float) -> bool:
        """Whether it is there at a moment."""
        return self.begins < minute <= self.mended


@dataclass(frozen=True, slots=True)
class Counter:
    """So many a minute, healthy and faulty."""

    healthy: float
    faulty: float

    def samples(self, minutes: Sequence[float], phases: Phases) -> Iterator[float | None]:
        """Yield a value for each minute."""
        value, before = 0.0, 0.0
        for minute in minutes:
            value += (minute - before) * (self.faulty if phases.is_faulty(minute) else self.healthy)
            before = minute
            yield value


@dataclass(frozen=True, slots=True)
class Gauge:
    """One value, healthy and faulty; None is a series that is missing."""

    healthy: float | None
    faulty: float | None

    def samples(self, minutes: Sequence[float], phases: Phases) -> Iterator[float | None]:
        """Yield a value for each minute."""
        for minute in minutes:
            yield self.faulty if phases.is_faulty(minute) else self.healthy


@dataclass(frozen=True, slots=True)
class Clock:
    """When something was last heard: a moment ago while all is well, and when the fault began while it lasts."""

    def samples(self, minutes: Sequence[float], phases: Phases) -> Iterator[float | None]:
        """Yield a value for each minute, in seconds."""
        for minute in minutes:
            yield 60 * (phases.begins if phases.is_faulty(minute) else minute)


Series = Mapping[str, Counter | Gauge | Clock]
"""By name and labels: `name{label="value"}`."""


def written(values: Iterator[float | None]) -> str:
    """Return the values as promtool reads them, stretches of even steps in one word each."""
    words: list[str] = []
    stretch: list[float] = []
    for value in values:
        if value is None or math.isnan(value):
            # As Prometheus marks what a scrape no longer finds.
            words += [*_stretch(stretch), "stale" if value is None else "NaN"]
            stretch = []
        elif len(stretch) > 1 and abs(value - stretch[-1] - (stretch[-1] - stretch[-2])) > 1e-6:
            words += _stretch(stretch)
            stretch = [value]
        else:
            stretch.append(value)
    return " ".join([*words, *_stretch(stretch)])


def _stretch(values: Sequence[float]) -> list[str]:
    if len(values) < 2:
        return [_number(one) for one in values]
    step = (values[-1] - values[0]) / (len(values) - 1)
    sign = "-" if step < 0 else "+"
    return [f"{_number(values[0])}{sign}{_number(abs(step))}x{len(values) - 1}"]


def _number(value: float) -> str:
    # promtool reads no exponents, and no -0.
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")
