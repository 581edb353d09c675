"""What a report says of what was measured, and what it does not say of what was not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluice.rollout import Newest
from sluice.rollout.report.comparison import Compared, compare
from sluice.rollout.report.findings import find
from sluice.rollout.report.material import Note
from sluice.rollout.report.moving import moving_means
from sluice.rollout.report.weights import EventKind, last_way
from sluice.rollout.verdict import Gate
from tests.rollout.examples import NOW, arm, case, dear, measured, period, scores
from tests.rollout.report_examples import DAY, SINCE, UNTIL, agent, day, days, flat, material, points, run

_BAD = arm(200, scores=scores((3.0, 200)))


def test_a_moving_mean_is_over_the_days_before_it_and_no_more() -> None:
    before = [day(number, scores=points(2.0)) for number in (12, 11, 10, 9, 8, 7)]
    within = [day(number, scores=points(8.0)) for number in (6, 5, 4, 3, 2, 1, 0)]

    means = moving_means([*before, *within], "overall", 7 * DAY, SINCE, alike=0.3)

    assert [one.ended for one in means] == [one.ended for one in within]
    assert means[0].mean == pytest.approx((6 * 2 + 8) / 7)
    assert means[-1].mean == pytest.approx(8.0)
    assert means[-1].answers == 280


def test_a_mean_of_more_answers_is_surer() -> None:
    few, many = (
        moving_means(days(13, scores=points(8.0, count)), "overall", 7 * DAY, SINCE, alike=0.3)[-1]
        for count in (4, 400)
    )

    assert few.mean is not None
    assert many.mean is not None
    assert few.low is not None
    assert many.low is not None
    assert few.mean - few.low > 5 * (many.mean - many.low)


def test_answers_of_one_user_count_for_less_than_others() -> None:
    alone, alike = (moving_means(days(), "overall", 7 * DAY, SINCE, alike=how)[-1] for how in (0.0, 1.0))

    assert alone.low is not None
    assert alike.low is not None
    assert alike.low < alone.low


def test_a_day_without_a_series_has_no_mean_and_too_few_answers_have_none() -> None:
    unseen = [*days(12)[:-1], day(1), day(0, scores=None)]

    assert moving_means(unseen, "overall", 7 * DAY, SINCE, alike=0.3)[-1].mean is None
    few = moving_means([day(0, scores=points(8.0, 4))], "overall", 7 * DAY, SINCE, alike=0.3)[-1]
    assert (few.answers, few.mean) == (4, None)


def test_a_good_candidate_is_as_good_and_says_how_sure_that_is() -> None:
    found = compare(run())

    assert found.compared is Compared.AS_GOOD
    assert found.verdict == "As good as its baseline in quality, errors and latency."
    quality = next(one for one in found.gates if one.gate is Gate.QUALITY)
    assert quality.strength == "sure at 95 %"


def test_a_candidate_with_bad_answers_is_worse_by_the_evidence_that_ends_a_rollout() -> None:
    found = compare(run(case(measured(period(_BAD, dear(1800))))))

    assert found.compared is Compared.WORSE
    assert found.verdict == "Worse than its baseline: quality."
    quality = next(one for one in found.gates if one.gate is Gate.QUALITY)
    assert quality.strength.startswith("evidence of harm beyond doubt")


def test_a_candidate_that_is_better_for_sure_is_called_better() -> None:
    better = arm(2000, scores=scores((9.8, 2000)))

    found = compare(run(case(measured(period(better, dear(18000))))))

    assert found.compared is Compared.BETTER
    assert found.verdict.startswith("Better than its baseline in quality")


def test_a_handful_of_answers_tells_nothing() -> None:
    found = compare(run(case(measured(period(arm(4), dear(36))))))

    assert found.compared is Compared.OPEN
    assert "Not told apart from its baseline yet: quality and errors" in found.verdict


def test_a_metric_that_was_never_scraped_is_no_proof_of_anything() -> None:
    unseen = measured(period(arm(700, scores=None), dear(6300)), newest=Newest(NOW, None, NOW, NOW))

    found = compare(run(case(unseen)))

    assert found.compared is Compared.NOT_MEASURED
    assert found.verdict == "Cannot be compared: quality could not be judged."


def test_what_cannot_be_is_not_judged() -> None:
    found = compare(run(case(measured(period(arm(10, failed=50), dear(90))))))

    assert found.compared is Compared.NOT_MEASURED
    assert "50 of 10 requests" in found.gates[0].reasons[0].text


def test_a_dear_candidate_is_said_to_be_dear_whatever_else_it_is() -> None:
    found = compare(run(case(measured(period(dear(700, failed=7), dear(6300, failed=63))))))

    assert found.compared is Compared.AS_GOOD
    assert found.verdict.endswith("It costs more than it was meant to.")


def test_a_way_up_ends_where_nobody_is_on_the_candidate_any_more() -> None:
    hour = timedelta(hours=1)
    samples = tuple(
        (UNTIL - (8 - number) * hour, float(weight)) for number, weight in enumerate((0, 10, 25, 0, 0, 10, 10, 0, 0))
    )

    way = last_way(samples)

    assert way is not None
    assert way.changes == ((UNTIL - 3 * hour, 10),)
    assert way.ended == UNTIL - hour
    assert last_way(flat(0)) is None


def test_a_weight_that_falls_begins_anew_and_a_gap_does_not() -> None:
    samples = ((SINCE, 10.0), (SINCE + DAY, 50.0), (SINCE + 2 * DAY, 25.0), (SINCE + 5 * DAY, 50.0))

    way = last_way(samples)

    assert way is not None
    assert way.changes == ((SINCE + 2 * DAY, 25), (SINCE + 5 * DAY, 50))
    assert way.ended is None


def test_steps_of_git_and_overrides_are_events_at_their_time() -> None:
    half = SINCE + 3 * DAY
    after = half + timedelta(minutes=5)
    weights = {"wanted": (*flat(10, end=half), *flat(25, begin=after))}
    overridden = (*flat(0, end=half), *flat(1, begin=after))

    (one,) = find(material(agent(weights=weights, overridden=overridden), notes=None)).agents

    assert [(event.kind, event.at) for event in one.events] == [(EventKind.STEP, after), (EventKind.OVERRIDE, after)]
    assert one.events[0].text == "git: 10 to 25 %"
    assert "by whom and why is not known" in one.events[1].text


def test_what_the_override_itself_says_takes_the_place_of_what_the_line_shows() -> None:
    set_at, lifted_at = SINCE + 2 * DAY, SINCE + 3 * DAY
    step = timedelta(minutes=5)
    overridden = (*flat(0, end=set_at), *flat(1, begin=set_at + step, end=lifted_at), *flat(0, begin=lifted_at + step))
    notes = (
        Note("qa", set_at + timedelta(seconds=40), "guard", "points are 40 % below"),
        Note("qa", lifted_at + timedelta(seconds=40), "Ada Example", "mended", lifted=True),
        Note("legal", set_at, "guard", "another agent's"),
        Note("all", SINCE - DAY, "Ada Example", "before this report"),
    )

    (one,) = find(material(agent(overridden=overridden), notes=notes)).agents

    assert [event.text for event in one.events] == [
        "override set by guard: points are 40 % below",
        "override lifted by Ada Example: mended",
    ]


def test_a_saving_is_what_the_candidates_answers_would_have_cost_the_baseline_to_give() -> None:
    (one,) = find(material()).agents

    assert one.saving is not None
    assert one.saving.percent == pytest.approx(100 * (1 - 0.002 / 0.015))
    assert one.saving.dollars == pytest.approx(7 * 99 * 0.013)
    assert one.saving.by_forecast is False


def test_where_the_baseline_answered_nobody_the_registrys_price_stands_in_and_that_is_said() -> None:
    silent = days(outcomes={"ok": 0.0}, cost_dollars=0.0, slow=0.0, scores=points(answers=0))
    everybody = {"candidate": days(cost_dollars=0.198), "baseline": silent}

    (one,) = find(material(agent(days=everybody))).agents
    (without,) = find(material(agent(days=everybody, forecast_baseline_dollars=None))).agents

    assert one.saving is not None
    assert one.saving.by_forecast
    assert without.saving is None


def test_shares_and_late_answers_are_over_the_days_of_the_report_alone() -> None:
    old = [day(number, outcomes={"error": 1000.0}, slow=500.0) for number in (12, 11, 10, 9, 8, 7)]
    recent = [day(number) for number in (6, 5, 4, 3, 2, 1, 0)]

    (one,) = find(material(agent(days={"candidate": (*old, *recent), "baseline": days()}))).agents

    candidate = one.arms["candidate"]
    assert (candidate.answers, candidate.slow) == (700, 14)
    assert candidate.error_percent == pytest.approx(1.0)


def test_an_empty_prometheus_is_said_in_one_sentence_and_nothing_is_zero() -> None:
    unseen = tuple(day(number, outcomes=None, cost_dollars=None, slow=None, scores=None) for number in range(7))
    nothing = agent(
        weights={}, overridden=(), days={"candidate": unseen, "baseline": unseen}, latency={}, quantiles_seconds={},
        run=None,
    )  # fmt: skip

    found = find(material(nothing, recorded={UNTIL - number * DAY: 0.0 for number in range(7)}))

    assert found.missing[0].startswith("Prometheus has recorded nothing of this environment")
    (one,) = found.agents
    assert {arm.answers for arm in one.arms.values()} == {None}
    assert (one.served_percent, one.saving, one.comparison) == (None, None, None)


def test_a_day_that_was_recorded_in_part_is_named() -> None:
    found = find(material(recorded={UNTIL: 1.0, UNTIL - DAY: 0.5, UNTIL - 2 * DAY: 0.96}))

    assert found.missing == ("of the 24 hours to 2025-11-11 12:00, 50 % were recorded: its counts are too low",)


def test_answers_without_points_are_named() -> None:
    bare = agent(days={"candidate": days(scores=None), "baseline": days()})

    assert find(material(bare)).missing == ("of the candidate of qa there are requests, and no points",)


def test_an_override_that_another_candidate_ended_was_lifted_by_nobody() -> None:
    set_at, ended_at, back_at = (SINCE + days * DAY for days in (1, 2, 3))
    step = timedelta(minutes=5)
    overridden = (
        *flat(0, end=set_at),
        *flat(1, begin=set_at + step, end=ended_at),
        *flat(0, begin=ended_at + step, end=back_at),
        *flat(1, begin=back_at + step),
    )
    notes = (Note("qa", set_at + timedelta(seconds=40), "guard", "points fell", candidate="qa-1"),)

    (one,) = find(material(agent(overridden=overridden), notes=notes)).agents

    assert [(event.kind, event.text) for event in one.events] == [
        (EventKind.OVERRIDE, "override set by guard: points fell"),
        (EventKind.ENDED, "override for qa-1 ended by another candidate, not by a person"),
        (EventKind.OVERRIDE, "override holds again: the candidate that it is for is back"),
    ]


def test_an_override_that_a_person_lifted_explains_nothing_that_came_later() -> None:
    set_at, lifted_at, bare_at, gone_at = (SINCE + days * DAY for days in (1, 2, 4, 5))
    step = timedelta(minutes=5)
    overridden = (
        *flat(0, end=set_at),
        *flat(1, begin=set_at + step, end=lifted_at),
        *flat(0, begin=lifted_at + step, end=bare_at),
        *flat(1, begin=bare_at + step, end=gone_at),
        *flat(0, begin=gone_at + step),
    )
    notes = (
        Note("qa", set_at + timedelta(seconds=40), "guard", "points fell", candidate="qa-1"),
        Note("qa", lifted_at + timedelta(seconds=40), "Ada Example", "mended", lifted=True),
    )

    (one,) = find(material(agent(overridden=overridden), notes=notes)).agents

    assert [(event.kind, event.text) for event in one.events[2:]] == [
        (EventKind.OVERRIDE, "override set; by whom and why is not known"),
        (EventKind.RESUMED, "override lifted; by whom and why is not known"),
    ]


def test_an_override_that_holds_on_is_not_lifted_by_what_was_lifted_before_it_or_of_another_key() -> None:
    set_at, ended_at = SINCE + 2 * DAY, SINCE + 3 * DAY
    step = timedelta(minutes=5)
    overridden = (*flat(0, end=set_at), *flat(1, begin=set_at + step, end=ended_at), *flat(0, begin=ended_at + step))
    notes = (
        Note("qa", SINCE + DAY, "Ada Example", "mended", lifted=True),
        Note("qa", set_at + timedelta(seconds=40), "guard", "points fell", candidate="qa-2"),
        Note("all", set_at + timedelta(hours=3), "Ada Example", "drill is over", lifted=True),
    )

    (one,) = find(material(agent(overridden=overridden), notes=notes)).agents

    assert one.events[-1].text == "override for qa-2 ended by another candidate, not by a person"
