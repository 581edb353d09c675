"""Burn rates, tried alike for whatever share of the answers burns: each of the two speeds by itself."""

from __future__ import annotations

from collections.abc import Callable

from tests.rules.series import Case, Series, answers, rising


def burn(
    alert: str,
    bad: Callable[[str], dict[str, str]],
    *,
    bad_is_an_outcome: bool,
    quick: tuple[float, int, int],
    lasting: tuple[float, int, int],
    history: int,
    every_minutes: int,
) -> Case:
    """Make the case of an alert with two speeds: the percentage that is too much, and the two windows in minutes.

    Before what happens quickly lies a busy and clean history, so that the slower of the two speeds stays out of it.
    """
    most, long, short = quick
    lasting_most, lasting_long, lasting_short = lasting
    end = 4 * every_minutes + 20
    whole = history + long + end
    begun = 2 * short + 2 * every_minutes

    def of(*stretches: tuple[float, float, int]) -> Series:
        """Answers a minute, percent of bad ones, minutes."""
        wrong = [(rate * min(percent, 100) / 100, minutes) for rate, percent, minutes in stretches]
        good = [
            (rate - (part if bad_is_an_outcome else 0), minutes)
            for (rate, _, minutes), (part, _) in zip(stretches, wrong, strict=True)
        ]
        return {**answers(rising(*good)), **bad(rising(*wrong))}

    def quickly(*percents: tuple[float, int]) -> Series:
        before = whole - sum(minutes for _, minutes in percents)
        return of((60, 0, before), *((10, percent, minutes) for percent, minutes in percents))

    def lastingly(*percents: tuple[float, int]) -> Series:
        return of(*((10, percent, minutes) for percent, minutes in percents))

    def few(number: float) -> Series:
        return of((60, 0, history), (number / long, 100, long + end))

    def few_lasting(number: float) -> Series:
        return of((number / min(lasting_long, whole - every_minutes), 100, whole))

    return Case(
        alert,
        firing={
            "quickly": quickly((most * 1.04, long + end)),
            "for long": lastingly((lasting_most * 1.04, whole)),
            "quickly, and three bad answers": few(3.2),
            "for long, and three bad answers": few_lasting(3.2),
        },
        silent={
            "not quickly enough": quickly((most * 0.96, long + end)),
            "not enough for long": lastingly((lasting_most * 0.96, whole)),
            "over already": quickly((most * 1.35, long + end - 2 * short), (0, 2 * short)),
            "ebbing": quickly((most * 1.1, long + end - 2 * short), (most * 0.95, 2 * short)),
            "beginning": quickly((most * 0.94, long + end - begun), (most * 1.04, begun)),
            "ebbing after long": lastingly(
                (lasting_most * 1.15, whole - 2 * lasting_short), (lasting_most * 0.95, 2 * lasting_short)
            ),
            "beginning after long": lastingly(
                (lasting_most * 0.93, whole - lasting_short - 10), (lasting_most * 1.04, lasting_short + 10)
            ),
        },
        low_traffic={"two bad answers": few(2.8), "two bad answers for long": few_lasting(2.8)},
        at_minutes=whole - every_minutes,
        every_minutes=every_minutes,
    )
