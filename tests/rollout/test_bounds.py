"""Bounds that hold at every look: against the definition, and against chance."""

from __future__ import annotations

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from sluice.rollout.bounds import cautious_variance, half_width, highest_rate, lowest_rate


@given(st.integers(0, 50), st.integers(1, 500))
def test_a_rate_lies_between_its_bounds(failed: int, more: int) -> None:
    requests = failed + more

    assert 0 <= lowest_rate(failed, requests, 0.05) <= failed / requests <= highest_rate(failed, requests, 0.05) <= 1


def test_of_nothing_everything_may_be() -> None:
    assert (lowest_rate(0, 0, 0.05), highest_rate(0, 0, 0.05)) == (0.0, 1.0)


@pytest.mark.parametrize(("failed", "requests"), [(0, 30), (1, 30), (7, 200)])
def test_at_the_bound_the_mixture_has_just_refuted_the_rate(failed: int, requests: int) -> None:
    rate = highest_rate(failed, requests, 0.05)
    mixture = betaln(0.5 + failed, 20 + requests - failed) - betaln(0.5, 20)
    seen = failed * math.log(rate) + (requests - failed) * math.log1p(-rate)

    assert mixture - seen == pytest.approx(math.log(20), abs=1e-3)


def test_the_true_rate_is_outside_no_more_often_than_said_at_any_look() -> None:
    chance = numpy.random.default_rng(3)
    outside = 0
    for _ in range(300):
        failed = numpy.cumsum(chance.random(300) < 0.05)
        outside += any(highest_rate(int(failed[n - 1]), n, 0.05) < 0.05 for n in range(1, 301, 3))

    assert outside <= 300 * 0.05


def test_the_true_difference_of_skewed_points_is_outside_no_more_often_than_said_at_any_look() -> None:
    """From the least sample on; points that are mostly high and now and then very low, as scores are."""
    chance = numpy.random.default_rng(4)
    outside = 0
    for _ in range(400):
        points = numpy.where(chance.random(400) < 0.05, 2.0, chance.normal(8.2, 0.9, 400)).clip(0, 10)
        truth = 0.05 * 2.0 + 0.95 * 8.2 - 0.01
        for seen in range(20, 401, 10):
            mean = points[:seen].mean()
            variance = cautious_variance(points[:seen].var(ddof=1), mean, seen)
            if truth < mean - half_width(variance / seen, 0.8, 0.05):
                outside += 1
                break

    assert outside <= 400 * 0.06  # 5 % and the chance of this simulation


def test_more_answers_narrow_a_bound() -> None:
    widths = [half_width(1.0 / answers, 0.8, 0.05) for answers in (10, 20, 40, 80)]

    assert widths == sorted(widths, reverse=True)
