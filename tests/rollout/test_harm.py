"""The evidence of harm: what it is worth, that chance does not fool it, and that it is what its papers say."""

from __future__ import annotations

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from sluice.rollout.harm import MANY_TIMES, Shares, answers_count_as, log_evidence

ALPHA = 0.01


def evidence(*periods: tuple[float, int, int]) -> float:
    return log_evidence([Shares(share, (mine,), (both,)) for share, mine, both in periods], MANY_TIMES)


def test_no_events_are_no_evidence() -> None:
    assert log_evidence([], MANY_TIMES) == 0.0
    assert evidence((0.1, 0, 0)) == pytest.approx(0.0)


def test_a_period_in_which_one_arm_has_everybody_is_no_evidence() -> None:
    assert evidence((1.0, 50, 50), (0.0, 0, 50)) == pytest.approx(0.0)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.25, 0.5]), st.integers(0, 30), st.integers(0, 60)), max_size=6))
def test_evidence_by_chance_is_one_on_average(periods: list[tuple[float, int, int]]) -> None:
    """Sum over everything that the first period's events may fall on, by its chance: a martingale keeps its mean."""
    share, _, both = (periods or [(0.1, 0, 7)])[0]
    both = min(both, 12)
    mean = sum(
        math.comb(both, mine) * share**mine * (1 - share) ** (both - mine) * math.exp(evidence((share, mine, both)))
        for mine in range(both + 1)
    )

    assert mean == pytest.approx(1.0)


@given(st.floats(0.02, 0.98), st.integers(1, 12), st.floats(0.1, 0.99))
def test_a_better_candidate_gives_less_than_one_on_average(share: float, both: int, times: float) -> None:
    candidate = share * times / (share * times + 1 - share)
    mean = sum(
        math.comb(both, mine)
        * candidate**mine
        * (1 - candidate) ** (both - mine)
        * math.exp(evidence((share, mine, both)))
        for mine in range(both + 1)
    )

    assert mean <= 1.0 + 1e-9


def test_looked_at_after_every_event_it_is_fooled_less_often_than_it_may_be() -> None:
    chance = numpy.random.default_rng(1)
    fooled = 0
    for _ in range(400):
        mine = numpy.cumsum(chance.random(150) < 0.1)
        fooled += any(evidence((0.1, int(mine[seen]), seen + 1)) >= math.log(1 / ALPHA) for seen in range(150))

    assert fooled <= 400 * ALPHA


def test_it_sees_as_soon_as_the_beta_binomial_that_it_stands_for() -> None:
    """Five times the errors at 10 %: Lindon and Malek's own mixture over the share, for one weight."""
    chance = numpy.random.default_rng(2)
    ours, theirs = [], []
    for _ in range(60):
        mine = numpy.cumsum(chance.random(400) < 0.1 * 5 / 1.4)
        seen = numpy.arange(1, 401)
        log = (
            betaln(10 + mine, 90 + seen - mine) - betaln(10, 90) - mine * math.log(0.1) - (seen - mine) * math.log(0.9)
        )
        theirs.append(int(numpy.argmax(log >= math.log(1 / ALPHA))) + 1)
        ours.append(next(n for n in range(1, 401) if evidence((0.1, int(mine[n - 1]), n)) >= math.log(1 / ALPHA)))

    assert numpy.median(ours) <= numpy.median(theirs)


def test_a_change_of_weight_does_not_look_like_harm() -> None:
    assert evidence((0.1, 10, 100), (0.5, 50, 100)) < 0


def test_evidence_of_late_harm_survives_good_days() -> None:
    good = [(0.1, 0, 40)] * 5

    assert evidence(*good, (0.1, 15, 20)) > math.log(1 / ALPHA)
    assert log_evidence([Shares(0.1, (15,), (220,))], MANY_TIMES) < math.log(1 / ALPHA)  # all taken together


def test_one_user_counts_once_where_users_are_wholly_alike() -> None:
    assert answers_count_as(100, 20, 1.0) == pytest.approx(0.2)
    assert answers_count_as(100, 20, 0.0) == 1.0
    assert answers_count_as(100, 100, 1.0) == 1.0
    assert answers_count_as(100, None, 0.3) < answers_count_as(100, 50, 0.3)
