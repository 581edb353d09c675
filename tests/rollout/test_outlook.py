"""How far it is to the next step: what it waits for, and when that is likely to be there."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from sluice.rollout import Case, Gate, Histogram, Newest, record_of
from sluice.rollout.outlook import Outlook, Wait, outlook_of
from tests.rollout.examples import NOW, arm, case, dear, good, measured, period, scores

HOUR = timedelta(hours=1)


def ahead(one: Case) -> Outlook:
    return outlook_of(record_of(one))


def waits(one: Case) -> dict[Gate, Wait]:
    return {wait.gate: wait for wait in ahead(one).waits}


def after_a_day(requests: int) -> Case:
    began = NOW - timedelta(days=1)
    return case(measured(period(arm(requests), dear(900), began=began)), since=began)


def test_a_step_that_all_gates_let_pass_waits_for_nothing() -> None:
    found = ahead(case())

    assert found.is_ready
    assert found.next_weight_percent == 25


def test_time_is_there_when_the_step_has_held_long_enough() -> None:
    assert waits(after_a_day(100))[Gate.TIME].likely == NOW + timedelta(days=1)


def test_a_sample_is_there_when_as_many_more_have_come_as_came() -> None:
    likely = waits(after_a_day(12))[Gate.SAMPLE].likely

    assert likely is not None
    assert NOW + 12 * HOUR <= likely <= NOW + 18 * HOUR


def test_all_of_it_is_there_with_the_last_of_it() -> None:
    found = ahead(after_a_day(12))

    assert found.likely == max(wait.likely for wait in found.waits if wait.likely)
    assert found.likely >= NOW + timedelta(days=1)


def test_more_requests_bring_the_bound_on_errors_sooner() -> None:
    few, more = (waits(after_a_day(requests))[Gate.ERRORS].likely for requests in (4, 16))

    assert few is not None
    assert more is not None
    assert NOW < more < few


def test_what_a_person_must_do_has_no_time() -> None:
    unsigned = dataclasses.replace(after_a_day(100), missing_sign_offs=("cost: nobody signed",))

    assert waits(unsigned)[Gate.SIGN_OFFS].likely is None
    assert waits(unsigned)[Gate.TIME].likely is not None
    assert ahead(unsigned).likely is None


def test_a_metric_that_stopped_does_not_come_back_by_waiting() -> None:
    stopped = dataclasses.replace(good(), newest=Newest(NOW, NOW - 2 * HOUR, NOW, NOW))

    assert ahead(case(stopped)).waits == (Wait(Gate.QUALITY, waits(case(stopped))[Gate.QUALITY].text, None),)


def test_answers_that_are_worth_less_do_not_get_better_by_waiting() -> None:
    began = NOW - timedelta(days=3)
    poorer = period(arm(40, scores=scores((6.9, 40))), dear(400, scores=scores((8.2, 400))), began=began)

    assert waits(case(measured(poorer)))[Gate.QUALITY].likely is None


@pytest.mark.parametrize(("share", "expected"), [(0.5, 1.5), (0.95, 2.85), (1.0, 3.0)])
def test_a_quantile_lies_on_the_line_through_its_bucket(share: float, expected: float) -> None:
    even = Histogram((1.0, 2.0, 3.0), (10, 10, 10, 0), 45.0)

    assert even.quantile(share) == pytest.approx(expected)


def test_of_nothing_there_is_no_quantile_and_above_the_last_edge_none_is_known() -> None:
    assert Histogram((1.0, 2.0), (0, 0, 0), 0.0).quantile(0.5) is None
    assert Histogram((1.0, 2.0), (0, 0, 5), 50.0).quantile(0.5) == 2.0
