"""What the gates say of a rollout: when it moves up, when it waits and for what, when it goes back."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest

from sluice.registry import Step
from sluice.registry.judgement import Judgement, MissingMetrics, WhenMissing
from sluice.rollout import Action, Case, Gate, Measurements, Newest, Period, Recent, RolledBack, Standing, Users, judge
from sluice.rollout.errors import is_suspect, latest
from tests.rollout.examples import NOW, arm, case, dear, good, measured, period, scores, seconds


def said(one: Case, gate: Gate) -> str:
    """Return what a gate says where it is among the reasons that decided."""
    return " / ".join(reason.text for reason in judge(one).why if reason.gate is gate)


def at(weight: int, *periods: Period, **others: Any) -> Case:
    return case(measured(*periods), weight_percent=weight, **others)


def test_a_candidate_as_good_as_its_baseline_advances_by_one_step() -> None:
    verdict = judge(case())

    assert (verdict.action, verdict.next_weight_percent) == (Action.ADVANCE, 25)


def test_every_gate_says_what_it_saw_even_where_all_is_well() -> None:
    gates = {reason.gate for reason in judge(case()).reasons}

    assert gates >= {Gate.ERRORS, Gate.QUALITY, Gate.LATENCY, Gate.COST, Gate.SAMPLE, Gate.TIME}


def test_a_step_holds_for_its_time() -> None:
    early = case(measured(period(arm(100), dear(900), began=NOW - timedelta(days=1))), since=NOW - timedelta(days=1))

    assert judge(early).action is Action.HOLD
    assert said(early, Gate.TIME) == "10 % holds for 1.0 days, 2 are wanted"


def test_the_later_of_git_and_the_cluster_says_since_when_a_step_holds() -> None:
    late = case(measured(period(arm(100), dear(900), began=NOW - timedelta(hours=30))), since=NOW - timedelta(days=9))

    assert said(late, Gate.TIME) == "10 % holds for 1.2 days, 2 are wanted"


@pytest.mark.parametrize(
    ("hold", "told"),
    [
        (timedelta(minutes=5), "10 % holds for 1.5 minutes, 5 are wanted"),
        (timedelta(hours=4), "10 % holds for 0.0 hours, 4 are wanted"),
    ],
)
def test_the_time_of_a_short_step_is_told_in_hours_or_minutes(hold: timedelta, told: str) -> None:
    began = NOW - timedelta(seconds=90)
    short = case(measured(period(arm(100), dear(900), began=began)), steps=(Step(10, hold), Step(100, hold)))

    assert said(short, Gate.TIME) == told


def test_too_few_answers_hold_and_name_how_many_are_wanted() -> None:
    few = case(measured(period(arm(12), dear(900))))

    assert judge(few).action is Action.HOLD
    assert said(few, Gate.SAMPLE) == "12 requests to the candidate at this step, 20 are the least"


def test_a_candidate_that_fails_five_times_as_often_is_rolled_back() -> None:
    bad = case(measured(period(arm(300, failed=25), dear(2700, failed=27))))

    verdict = judge(bad)

    assert (verdict.action, verdict.next_weight_percent) == (Action.ROLLBACK, 0)
    assert "25 of 52 users who met a failure are on the candidate" in said(bad, Gate.ERRORS)


def test_three_failing_users_of_an_all_failing_candidate_are_enough_at_the_first_step() -> None:
    bad = case(measured(period(arm(3, failed=3, scores=scores()), dear(30))))

    assert judge(bad).action is Action.ROLLBACK


def test_one_user_who_fails_often_is_one_failing_user() -> None:
    unlucky = case(measured(period(arm(300, failed=25, failed_users=1), dear(2700, failed=27))))

    assert judge(unlucky).action is not Action.ROLLBACK


def test_without_a_count_of_users_requests_count_less() -> None:
    def one(failed: int) -> Action:
        mine = dataclasses.replace(arm(300, failed=failed), failed_users=None)
        theirs = dataclasses.replace(dear(2700, failed=27), failed_users=None)
        return judge(case(dataclasses.replace(measured(period(mine, theirs)), users=None))).action

    assert one(14) is not Action.ROLLBACK  # fourteen failing users would be
    assert judge(case(measured(period(arm(300, failed=14), dear(2700, failed=27))))).action is Action.ROLLBACK
    assert one(60) is Action.ROLLBACK


def test_more_failures_than_by_chance_within_the_goal_are_said_and_no_harm() -> None:
    fine = case(measured(period(arm(100_000, failed=300), dear(900_000, failed=900)), users=Users(20_000, 180_000)))

    assert judge(fine).action is Action.ADVANCE
    assert "within the goal of 1 %" in said(fine, Gate.ERRORS)


def test_more_than_half_of_ten_recent_requests_are_enough() -> None:
    bad = case(dataclasses.replace(good(), recent=Recent(10, 6, 90, 0)))

    assert judge(bad).action is Action.ROLLBACK
    assert said(bad, Gate.ERRORS) == "6 of the last 10 requests to the candidate failed, more than half"


@pytest.mark.parametrize("recent", [Recent(10, 5, 90, 0), Recent(9, 9, 90, 0)])
def test_half_of_them_or_fewer_than_ten_are_not(recent: Recent) -> None:
    assert judge(case(dataclasses.replace(good(), recent=recent))).action is not Action.ROLLBACK


@pytest.mark.parametrize(
    ("recent", "wanted"),
    [
        (Recent(2, 2, 20, 0), True),
        (Recent(19, 1, 190, 1), True),
        (Recent(20, 1, 180, 1), False),
        (Recent(10, 10, 90, 60), False),
        (Recent(0, 0, 20, 0), False),
        (None, False),
    ],
)
def test_one_is_suspect_while_more_of_its_last_requests_fail_than_may_and_the_baselines_do_not(
    recent: Recent | None, wanted: bool
) -> None:
    assert is_suspect(case(dataclasses.replace(good(), recent=recent))) is wanted


@pytest.mark.parametrize(
    ("minute", "asked"),
    [
        (Recent(10, 5, 4, 0), [60]),
        (Recent(9, 9, 90, 0), [60, 90]),
        (Recent(7, 7, 63, 0), [60, 105]),
        (Recent(4, 4, 90, 0), [60, 120]),
        (Recent(30, 30, 3, 0), [60, 105]),
        (Recent(30, 30, 0, 0), [60, 120]),
        (None, [60, 120]),
    ],
)
def test_the_last_minute_is_taken_where_it_tells_of_both_arms_and_where_not_as_much_more_as_it_should_take(
    minute: Recent | None, asked: list[int]
) -> None:
    longer, windows = Recent(40, 20, 100, 0), list[int]()

    def counted(window: timedelta) -> Recent | None:
        windows.append(window // timedelta(seconds=1))
        return minute if windows == [60] else longer

    assert latest(counted) == (minute if asked == [60] else longer)
    assert windows == asked


def test_no_more_is_counted_than_since_an_override_was_lifted() -> None:
    windows = list[timedelta]()

    def counted(window: timedelta) -> Recent:
        windows.append(window)
        return Recent(6, 6, 54, 0)

    for longest in (timedelta(seconds=40), timedelta(seconds=100)):
        latest(counted, longest)

    assert windows == [timedelta(seconds=40), timedelta(minutes=1), timedelta(seconds=100)]


def test_old_failures_are_no_recent_ones() -> None:
    """As when Prometheus is gone: the last that was heard stands, and nothing moves."""
    old = NOW - timedelta(minutes=6)
    heard = dataclasses.replace(good(), recent=Recent(10, 10, 90, 0), newest=Newest(old, old, old, old))

    assert judge(case(heard)).action is Action.HOLD


def test_where_the_baseline_fails_too_it_is_the_provider_and_the_rollout_holds() -> None:
    down = measured(period(arm(300, failed=60), dear(2700, failed=100)), recent=Recent(20, 18, 80, 60))

    assert judge(case(down)).action is Action.HOLD
    assert "a provider is down" in said(case(down), Gate.ERRORS)


def test_a_fall_of_quality_alone_is_rolled_back_after_a_dozen_answers() -> None:
    worse = arm(12, scores=scores((6.1, 6), (6.8, 6)))
    bad = case(measured(period(worse, dear(108))))

    assert judge(bad).action is Action.ROLLBACK
    assert said(bad, Gate.QUALITY).startswith("points are 20 % below the baseline's")


def test_a_fall_that_is_certain_but_small_holds_and_one_that_counts_as_equal_does_not() -> None:
    def falling_to(points: float) -> Case:
        worse = arm(3000, scores=scores((points, 3000)))
        return case(measured(period(worse, dear(27_000, scores=scores((8.8, 27_000))))))

    assert judge(falling_to(7.7)).action is Action.HOLD  # 12.5 %
    assert "more than chance, but short of the 15 % that end a rollout" in said(falling_to(7.7), Gate.QUALITY)
    assert judge(falling_to(8.2)).action is Action.ADVANCE


def test_answers_below_the_least_points_hold_even_where_the_baseline_is_no_better() -> None:
    poor = scores((7.0, 100))
    weak = case(measured(period(arm(100, scores=poor), dear(900, scores=scores((7.0, 900))))))

    assert judge(weak).action is Action.HOLD
    assert said(weak, Gate.QUALITY) == "points are 7.00 on average, 7.5 is the least"


def test_a_slow_candidate_is_rolled_back_and_a_slow_provider_is_not() -> None:
    slow = seconds((0.9, 80), (14.0, 20))
    alone = case(measured(period(arm(100, seconds=slow), dear(900))))
    both = case(measured(period(arm(100, seconds=slow), dear(900, seconds=seconds((0.9, 720), (14.0, 180))))))

    assert judge(alone).action is Action.ROLLBACK
    assert judge(both).action is Action.ADVANCE


def test_a_candidate_slower_than_the_warning_holds() -> None:
    slow = case(measured(period(arm(100, seconds=seconds((0.9, 90), (6.0, 10))), dear(900))))

    assert judge(slow).action is Action.HOLD
    assert said(slow, Gate.LATENCY) == "10 of 100 answers took more than 5 s, which is worth a warning"


def test_a_dear_candidate_holds_by_price_or_by_what_it_saves() -> None:
    dearer = case(measured(period(arm(100, cost_dollars=0.4), dear(900))))
    little = case(measured(period(arm(100, cost_dollars=0.2), dear(900, cost_dollars=4.5))))

    assert said(dearer, Gate.COST).startswith("a request costs $0.0040, the goal is less than $0.003")
    assert said(little, Gate.COST).endswith("60 % less than the baseline's; 80 % are wanted")


def test_a_month_whose_money_is_spent_holds_and_so_does_a_next_step_above_the_cap() -> None:
    spent = case(dataclasses.replace(good(), month_spend_dollars=51.0))
    coming = case(next_month_dollars=120.0)

    assert said(spent, Gate.BUDGET) == "$51.00 of the month's $50 is spent"
    assert said(coming, Gate.BUDGET) == "at the next step a month will cost $120.00, the cap is $100"


def test_users_who_are_not_drawn_by_the_weight_hold() -> None:
    skewed = case(dataclasses.replace(good(), users_of_step=Users(200, 800)))
    right = case(dataclasses.replace(good(), users_of_step=Users(110, 890)))

    assert "they are not drawn as they should be" in said(skewed, Gate.ASSIGNMENT)
    assert judge(right).action is Action.ADVANCE


@pytest.mark.parametrize("metric", ["errors", "quality", "latency", "cost"])
def test_a_missing_or_stale_metric_holds_and_never_advances(metric: str) -> None:
    old = NOW - timedelta(minutes=6)
    for newest in (None, old):
        measurements = dataclasses.replace(
            good(), newest=dataclasses.replace(Newest(NOW, NOW, NOW, NOW), **{metric: newest})
        )

        verdict = judge(case(measurements))

        assert verdict.action is Action.HOLD
        assert [reason.gate for reason in verdict.why] == [metric]


@pytest.mark.parametrize("metric", ["errors", "quality", "latency"])
def test_a_stale_metric_rolls_nothing_back_however_bad_it_was(metric: str) -> None:
    terrible = arm(300, failed=300, scores=scores((1.0, 300)), seconds=seconds((50.0, 300)))
    stale = dataclasses.replace(Newest(None, None, None, None), cost=NOW)

    verdict = judge(case(measured(period(terrible, dear(2700)), newest=stale)))

    assert verdict.action is Action.HOLD


def test_the_registry_may_go_on_without_a_metric() -> None:
    measurements = dataclasses.replace(good(), newest=Newest(NOW, None, NOW, NOW))
    judgement = Judgement(missing=MissingMetrics(quality=WhenMissing.IGNORE))

    assert judge(case(measurements, judgement=judgement)).action is Action.ADVANCE


def test_counts_that_cannot_be_are_not_judged() -> None:
    odd = case(measured(period(arm(100, failed=120), dear(900))))

    assert judge(odd).action is Action.HOLD
    assert said(odd, Gate.MEASUREMENTS) == "what was measured cannot be: 120 of 100 requests of the candidate failed"


def test_nothing_measured_holds() -> None:
    assert judge(case(Measurements(NOW))).action is Action.HOLD


def test_a_weight_that_is_not_served_holds_and_harm_is_still_seen() -> None:
    waiting = at(25, period(arm(100), dear(900)))
    failing = at(25, period(arm(100, failed=60), dear(900)))

    assert said(waiting, Gate.ROLLOUT) == "git wants 25 %, and 10 % is served"
    assert judge(failing).action is Action.ROLLBACK


def test_harm_adds_up_across_steps_and_promotion_does_not() -> None:
    first = period(arm(200, failed=7), dear(1800, failed=15), began=NOW - timedelta(days=6))
    second = period(arm(250, failed=11), dear(750, failed=9), weight=25, began=NOW - timedelta(days=3))

    assert judge(at(10, first)).action is not Action.ROLLBACK
    assert judge(at(25, second)).action is not Action.ROLLBACK
    assert judge(at(25, first, second)).action is Action.ROLLBACK
    few = at(25, period(arm(500), dear(4500)), period(arm(15), dear(45), weight=25))
    assert said(few, Gate.SAMPLE).startswith("15 requests to the candidate at this step")


def test_a_candidate_that_turns_bad_after_good_days_is_caught_in_spite_of_them() -> None:
    days = [period(arm(400), dear(3600), began=NOW - timedelta(days=9 - day)) for day in range(6)]
    today = period(arm(60, failed=12), dear(540, failed=3), began=NOW - timedelta(hours=4))

    assert judge(case(measured(*days))).action is Action.ADVANCE
    assert judge(case(measured(*days, today))).action is Action.ROLLBACK


def test_papers_and_freezes_hold_and_never_stop_a_rollback() -> None:
    unsigned: dict[str, Any] = {
        "missing_sign_offs": ("security: nobody signed",),
        "freeze": "the holidays, until 2026-01-02",
    }
    bad = measured(period(arm(300, failed=100), dear(2700)))

    assert judge(case(**unsigned)).action is Action.HOLD
    assert said(case(**unsigned), Gate.FREEZE) == "no weight is raised now: the holidays, until 2026-01-02"
    assert judge(case(bad, **unsigned)).action is Action.ROLLBACK


def test_a_rollback_latches_until_a_person_resumes_it() -> None:
    standing = Standing(rolled_back=RolledBack(NOW, "guard", "errors"))

    held = case(standing=standing)

    assert judge(held).action is Action.HOLD
    assert "only `sluice resume` ends that" in said(held, Gate.ROLLOUT)


def test_a_resumed_rollout_begins_at_the_first_step() -> None:
    standing = Standing(resumed_at=NOW - timedelta(days=1))
    high = at(50, period(arm(100), dear(100), weight=50), standing=standing)

    assert "the way up begins at 10 %, not at 50 %" in said(high, Gate.ROLLOUT)
    assert judge(case(standing=standing)).action is Action.ADVANCE
    assert judge(case(weight_percent=0, standing=standing)).next_weight_percent == 10


def test_the_switch_holds_everything() -> None:
    assert said(case(enabled=False), Gate.ROLLOUT) == "the rollout is switched off (enabled: false)"


def test_at_the_longest_dwell_a_person_is_asked_and_nothing_ships_by_itself() -> None:
    began = NOW - timedelta(days=15)
    unclear = case(measured(period(arm(12), dear(900), began=began)), since=began)

    verdict = judge(unclear)

    assert (verdict.action, verdict.asks_a_person) == (Action.HOLD, True)
    assert not judge(case(measured(period(arm(12), dear(900))))).asks_a_person


def everybody(**mine: Any) -> Case:
    before = period(arm(500), dear(500, failed=5), weight=50, began=NOW - timedelta(days=6))
    now = period(arm(1000, **mine), dear(0), weight=100, began=NOW - timedelta(days=2))
    return case(measured(before, now), weight_percent=100)


def test_after_the_last_step_the_candidate_graduates() -> None:
    verdict = judge(everybody())

    assert (verdict.action, verdict.graduates, verdict.next_weight_percent) == (Action.ADVANCE, True, None)


@pytest.mark.parametrize(
    "mine", [{"failed": 150}, {"scores": scores((6.0, 1000))}, {"seconds": seconds((0.9, 850), (12.0, 150))}]
)
def test_a_candidate_that_has_everybody_is_held_against_the_limits_and_the_baseline_as_it_was(
    mine: dict[str, Any],
) -> None:
    assert judge(everybody(**mine)).action is Action.ROLLBACK


def test_points_of_several_times_the_baselines_are_said_in_plain_digits() -> None:
    far_better = case(measured(period(arm(100, scores=scores((7.8, 100))), dear(900, scores=scores((1.0, 900))))))

    assert any("points are 680 % above the baseline's" in reason.text for reason in judge(far_better).reasons)


@pytest.mark.parametrize(
    "one",
    [
        case(measured(period(arm(300, failed=300), dear(2700)))),
        at(100, period(arm(300, failed=300), dear(0), weight=100)),
        case(measured(period(arm(300, scores=scores((1.0, 300))), dear(2700, scores=scores((9.0, 2700)))))),
        case(measured(period(arm(300, seconds=seconds((100.0, 300))), dear(2700)))),
        case(measured(period(arm(300), dear(2700, failed=2700)))),
    ],
    ids=["all fail", "all fail alone", "far worse", "far slower", "the baseline fails"],
)
def test_no_sentence_has_an_exponent(one: Case) -> None:
    written = " ".join(reason.text for reason in judge(one).reasons)

    assert not re.search(r"\de[+-]\d", written), written
