"""The simulation: traffic that is what it says, the peers' logic as their sources have it."""

from __future__ import annotations

import dataclasses

import numpy
import pytest

from sluice.registry import Limits
from sluice.registry.judgement import Judgement
from sluice.rollout import Gate
from sluice.rollout.guard import running
from sluice.rollout.simulation import climb
from sluice.rollout.simulation.climb import Climb
from sluice.rollout.simulation.pages import as_page, as_text
from sluice.rollout.simulation.study import (
    CANDIDATES,
    LADDER,
    VOLUMES,
    Volume,
    by_gates,
    by_thresholds,
)
from sluice.rollout.simulation.thresholds import FixedRule, Minutes, Tool, minutes_of, stopped_at_day, weight_at
from sluice.rollout.simulation.traffic import DAY, Behaviour, Traffic, score_counts, seconds_counts

pytestmark = pytest.mark.slow


GOOD = CANDIDATES[0]
SMALL = Volume(100, 300)


def traffic(behaviour: Behaviour = GOOD, per_day: int = 20_000, users: int = 3000, seed: int = 1) -> Traffic:
    return Traffic(behaviour, per_day, users, seed)


def test_a_week_has_the_requests_it_should_and_few_of_them_at_the_weekend() -> None:
    days = [len(traffic().day(number).seconds) for number in range(7)]  # Wednesday at nine to Wednesday at nine

    assert sum(days) == pytest.approx(7 * 20_000, rel=0.02)
    assert days[3] < 0.6 * days[0]


def test_the_same_seed_makes_the_same_traffic_and_another_makes_other() -> None:
    first, again, other = (traffic(seed=seed).day(2).baseline_points for seed in (1, 1, 2))

    assert numpy.array_equal(first, again)
    assert not numpy.array_equal(first[:100], other[:100])


def test_a_good_candidate_does_what_the_baseline_does() -> None:
    day = traffic().day(0)

    assert numpy.array_equal(day.candidate_points, day.baseline_points)
    assert numpy.array_equal(day.candidate_failed, day.baseline_failed)


@pytest.mark.parametrize("behaviour", CANDIDATES[2:-1], ids=lambda behaviour: behaviour.name)
def test_a_worse_candidate_is_worse_by_what_its_name_says(behaviour: Behaviour) -> None:
    day = traffic(behaviour, per_day=60_000).day(0)

    drop = 1 - day.candidate_points.mean() / day.baseline_points.mean()
    assert 100 * drop == pytest.approx(behaviour.points_drop_percent, abs=1.0)
    assert day.candidate_failed.mean() == pytest.approx(behaviour.error_rate, rel=0.2)
    assert day.candidate_slow.mean() == pytest.approx(behaviour.slow_rate, rel=0.3)


def test_a_drift_begins_on_its_day() -> None:
    made = traffic(CANDIDATES[-1])
    drops = [1 - made.day(day).candidate_points.mean() / made.day(day).baseline_points.mean() for day in (0, 2, 6)]

    assert drops == [0.0, pytest.approx(0.125, abs=0.03), pytest.approx(0.25, abs=0.02)]


def test_answers_of_one_user_are_alike_and_failures_come_together() -> None:
    made = traffic(per_day=60_000, users=300)
    day = made.day(0)
    of_users = [day.baseline_points[day.user == user].mean() for user in range(300) if (day.user == user).sum() > 50]

    assert numpy.std(of_users) == pytest.approx(0.5, abs=0.1)  # by chance alone it would be below 0.15


def test_counts_are_those_of_the_gateways_buckets() -> None:
    assert score_counts(numpy.array([0.0, 1.0, 1.1, 10.0])) == (2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
    assert sum(seconds_counts(3, 10)) == 10


def test_the_weight_of_fixed_rules_climbs_by_time() -> None:
    assert [weight_at(LADDER, day) for day in (0, 1.9, 2, 4, 6, 9)] == [10, 10, 25, 50, 100, 100]


def windows(*failed: int, empty: tuple[int, ...] = ()) -> Minutes:
    """Make ten-minute windows of which some have too many errors, and some no requests."""
    arms = numpy.zeros((2, 5, 400))
    for window in range(40):
        here = slice(window * 10, window * 10 + 10)
        requests = 0 if window in empty else 10
        answers = numpy.array([requests, 5 if window in failed else 0, requests, 8.0 * requests, 0])
        arms[0, :, here], arms[1, :, here] = answers[:, None], numpy.array([10, 0, 10, 80.0, 0])[:, None]
    return Minutes(arms[0], arms[1])


def ended_at_window(minutes: Minutes, rule: FixedRule) -> float | None:
    day = stopped_at_day(minutes, rule, Limits())
    return None if day is None else round(day * DAY / 600, 6)


def test_argo_ends_with_one_failure_more_than_its_limit_whenever_they_come() -> None:
    rule = FixedRule(Tool.ARGO, 10, 2)

    assert ended_at_window(windows(3, 9, 20), rule) == 21
    assert ended_at_window(windows(3, 9), rule) is None


def test_argo_ends_with_five_windows_in_a_row_that_have_no_values() -> None:
    rule = FixedRule(Tool.ARGO, 10, 2, empty_passes=False)

    assert ended_at_window(windows(empty=(4, 5, 6, 7)), rule) is None
    assert ended_at_window(windows(empty=(4, 5, 6, 7, 8)), rule) == 9
    assert ended_at_window(windows(empty=(4, 5, 6, 7, 8)), dataclasses.replace(rule, empty_passes=True)) is None


def test_flagger_ends_on_the_tick_after_its_threshold_and_no_values_are_a_failed_check() -> None:
    rule = FixedRule(Tool.FLAGGER, 10, 3)

    assert ended_at_window(windows(3, 9, 20), rule) == 22
    assert ended_at_window(windows(3, 9, empty=(20,)), rule) is None
    assert ended_at_window(windows(3, 9, empty=(20,)), dataclasses.replace(rule, empty_passes=False)) == 22


def test_minutes_add_up_to_the_traffic() -> None:
    made = traffic(per_day=5000)
    minutes = minutes_of(made, LADDER, 2)

    requests = sum(len(made.day(number).seconds) for number in range(2))
    assert minutes.candidate[0].sum() + minutes.baseline[0].sum() == requests
    assert minutes.candidate[0].sum() == pytest.approx(requests / 10, rel=0.3)


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("20 % fewer points", {Gate.QUALITY}),
        ("a fifth too slow", {Gate.LATENCY}),
        ("all fail", {Gate.ERRORS}),
    ],
)
def test_a_bad_candidate_is_caught_by_the_gate_that_is_for_it(name: str, gates: set[Gate]) -> None:
    behaviour = next(one for one in CANDIDATES if one.name == name)

    caught = {
        Climb(Traffic(behaviour, 100_000, 20_000, seed), LADDER, Judgement(), Limits()).run(1).rolled_back_by
        for seed in range(5)
    }

    assert caught == gates


@pytest.mark.slow
def test_it_looks_as_often_as_the_guard_does() -> None:
    assert (climb.LOOK_SECONDS, climb.AGAIN_SECONDS) == (running.ROUND_EVERY_SECONDS, running.AGAIN_AFTER_SECONDS)


def test_an_all_failing_candidate_with_much_traffic_is_out_within_a_minute() -> None:
    all_fail = next(one for one in CANDIDATES if one.error_rate == 1)
    outcome = by_gates(all_fail, VOLUMES[1], 20, Judgement())

    assert outcome.rolled_back == 20
    assert outcome.median_minutes_to_catch == 0.25, "the first look that sees three failing users, 15 seconds apart"
    assert outcome.p95_minutes_to_catch is not None
    assert outcome.p95_minutes_to_catch < 1


@pytest.mark.slow
def test_a_fall_of_quality_harms_half_as_many_users_as_with_the_best_fixed_rule() -> None:
    worse = next(one for one in CANDIDATES if one.points_drop_percent == 20)
    ours = by_gates(worse, VOLUMES[1], 10, Judgement())
    peers = [one for one in by_thresholds(VOLUMES[1], 3) if one.candidate == worse.name]
    seldom_wrong = [peer.mean_users_harmed for peer in peers[2:]]

    assert ours.mean_users_harmed is not None
    assert all(harmed is not None and ours.mean_users_harmed <= harmed / 2 for harmed in seldom_wrong)


@pytest.mark.slow
def test_a_good_candidate_climbs_the_whole_ladder() -> None:
    outcome = by_gates(GOOD, VOLUMES[1], 2, Judgement())

    assert (outcome.rolled_back, outcome.reached_all) == (0, 2)
    assert outcome.median_days_to_all == pytest.approx(6.0, abs=0.1)


def test_the_study_is_a_table_and_a_page_that_stands_alone() -> None:
    outcomes = [by_gates(CANDIDATES[3], SMALL, 2, Judgement()), *by_thresholds(SMALL, 2)]

    text, page = as_text(outcomes), as_page(outcomes)

    assert text.splitlines()[0] == "100 requests a day, 2 rollouts of each candidate"
    assert sum(line.startswith("Flagger") for line in text.splitlines()) == 4
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
