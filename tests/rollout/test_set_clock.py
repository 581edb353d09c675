"""The clock that tests set: it shows what it is told to, and production knows none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluice.rollout.set_clock import VARIABLE, ClockSet, SetClock, clock_in, now_in

SHOWN = datetime(2025, 11, 6, tzinfo=UTC)
REAL = datetime(2025, 11, 20, 9, 30, tzinfo=UTC)
CLOCK = SetClock(SHOWN, REAL, 240)


def test_a_set_clock_passes_so_many_times_as_fast_and_back_again() -> None:
    assert CLOCK.shown_at(REAL) == SHOWN
    assert CLOCK.shown_at(REAL + timedelta(minutes=6)) == SHOWN + timedelta(days=1)
    assert CLOCK.moment_of(SHOWN + timedelta(days=1)) == REAL + timedelta(minutes=6)


def test_what_is_written_is_what_is_read() -> None:
    assert clock_in({VARIABLE: CLOCK.text}) == CLOCK
    assert clock_in({}) is None


def test_without_one_it_is_the_machines_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    before = datetime.now(UTC)

    assert before <= now_in("production") <= datetime.now(UTC)


def test_an_environment_that_is_not_production_goes_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SetClock(SHOWN, datetime.now(UTC), 1).text)

    assert now_in("staging") - SHOWN < timedelta(days=1)


@pytest.mark.parametrize("environment", ["production", "eu-production"])
def test_production_is_judged_by_no_clock_that_is_set(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, CLOCK.text)

    with pytest.raises(ClockSet, match=f"SLUICE_CLOCK: {environment} is judged by no clock that is set; unset it"):
        now_in(environment)


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "2025-11-06 2025-11-07",
        "2025-11-06 2025-11-07 fast",
        "2025-11-06 2025-11-07 0",
        "2025-11-06 2025-11-07 -1",
        "2025-11-06 2025-11-07 nan",
        "2025-11-06 2025-11-07 inf",
        "2025-11-06 2025-11-07 1e300",
        "9999-12-31 2025-11-07 240",
        "2025-13-06 2025-11-07 2",
    ],
)
def test_what_is_no_clock_is_refused_with_how_one_is_written(text: str) -> None:
    with pytest.raises(ClockSet, match=r"is no clock; write the time that it shows, the moment at which it does"):
        clock_in({VARIABLE: text})
