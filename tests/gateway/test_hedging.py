"""Two models asked at once, each doing what a test tells it to, when it tells it to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from sluice.gateway.hedge_budget import MOST_SAVED
from sluice.gateway.outcome import Arm
from sluice.gateway.refusals import ProviderUnreachable
from tests.gateway.scripted_models import FIRST, MODELS, NEVER_SOON, SECOND, THIRD, later, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("arm", [Arm.CANDIDATE, Arm.BASELINE])
async def test_the_next_models_answer_is_the_callers_where_the_first_is_slow(make_asker: Any, arm: Arm) -> None:
    asker = make_asker(first=later(), second=200)
    answer = await asker.begin(*MODELS, arm=arm)
    assert (answer.model.name, answer.status) == (SECOND, 200)
    assert (asker.record.model.name, asker.record.fell_back) == (SECOND, True)
    assert asker.record.why_failed == f"{FIRST}: no answer within 0.01 seconds"
    assert asker.upstream.asked == asker.rates.reached == [FIRST, SECOND]
    assert asker.hedges("won", arm) == 1
    assert asker.hedges("lost", arm) == 0


async def test_the_slow_model_is_cancelled_and_has_not_failed(make_asker: Any) -> None:
    asker = make_asker(first=later(), second=200)
    for _ in range(MOST_SAVED):  # as many failures would open the breaker
        await asker.begin(*MODELS)
    assert asker.upstream.cancelled == [FIRST] * MOST_SAVED
    assert asker.breaker.admits(FIRST)
    assert asker.failures(FIRST) == 0
    assert asker.hedges("won") == MOST_SAVED


@pytest.mark.parametrize("models", [MODELS, MODELS[1:]])
async def test_a_model_that_answers_in_time_is_asked_alone(make_asker: Any, models: tuple[str, ...]) -> None:
    asker = make_asker(after=NEVER_SOON, first=200, second=200)
    answer = await asker.begin(*models)
    assert asker.upstream.asked == [answer.model.name] == [models[0]]
    assert not asker.record.fell_back
    assert asker.hedges("won") == asker.hedges("lost") == 0


async def test_without_hedge_after_no_two_are_asked_at_once(make_asker: Any) -> None:
    first = later()
    asker = make_asker(after=None, first=first, second=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST)
    await asyncio.sleep(0.05)
    assert asker.upstream.asked == [FIRST]
    first.set_result(200)
    assert (await asking).model.name == FIRST


async def test_a_slow_model_that_answers_first_after_all_is_the_callers(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=later())
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(200)
    assert (await asking).model.name == FIRST
    assert (asker.record.model.name, asker.record.fell_back, asker.record.why_failed) == (FIRST, False, "")
    assert (asker.hedges("won"), asker.hedges("lost")) == (0, 1)
    await until(lambda: asker.upstream.cancelled == [SECOND])


@pytest.mark.parametrize("wrong", [500, 429, 400, ProviderUnreachable("openai", "no connection")], ids=str)
async def test_what_a_hedge_does_wrong_is_no_answer_while_the_first_may_have_one(make_asker: Any, wrong: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=wrong)
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST, SECOND)
    await asyncio.sleep(0.02)
    assert not asking.done()
    first.set_result(200)
    assert (await asking).model.name == FIRST
    assert (asker.record.model.name, asker.record.fell_back, asker.record.why_failed) == (FIRST, False, "")
    assert asker.hedges("lost") == 1
    assert asker.failures(SECOND) == (0 if wrong == 400 else 1)


@pytest.mark.parametrize("wrong", [500, 400, ProviderUnreachable("mistral", "it broke off")], ids=str)
async def test_where_the_first_fails_the_hedge_goes_on_and_is_not_asked_again(make_asker: Any, wrong: Any) -> None:
    first, second = later(), later()
    asker = make_asker(first=first, second=second)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(wrong)
    await asyncio.sleep(0.02)
    assert not asking.done()
    second.set_result(200)
    assert (await asking).model.name == SECOND
    assert asker.record.fell_back
    assert asker.record.why_failed.startswith(f"{FIRST}: ")
    assert asker.upstream.asked == [FIRST, SECOND]
    assert asker.failures(FIRST) == (0 if wrong == 400 else 1)


async def test_where_both_fail_the_others_follow(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=500, third=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(503)
    assert (await asking).model.name == THIRD
    assert (asker.record.model.name, asker.record.fell_back) == (THIRD, True)
    assert asker.upstream.asked == [*MODELS]
    assert asker.hedges("lost") == 1


async def test_a_model_that_fails_before_its_time_is_made_good_by_the_next_which_may_be_hedged(make_asker: Any) -> None:
    asker = make_asker(first=500, second=later(), third=200)
    assert (await asker.begin(*MODELS)).model.name == THIRD
    assert asker.upstream.asked == [*MODELS]
    assert asker.record.why_failed == f"{FIRST}: status 500"
    assert asker.hedges("won") == 1


async def test_no_three_are_asked_at_once(make_asker: Any) -> None:
    second = later()
    asker = make_asker(first=later(), second=second, third=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    await asyncio.sleep(0.05)
    assert asker.upstream.asked == [FIRST, SECOND]
    second.set_result(200)
    assert (await asking).model.name == SECOND


async def test_where_nobody_answers_the_caller_is_told_what_the_last_one_did(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=503)
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(500)
    answer = await asking
    assert (answer.model.name, answer.status) == (SECOND, 503)
    assert asker.record.model.name == SECOND


async def test_where_nobody_answers_the_last_ones_refusal_is_raised(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=ProviderUnreachable("openai", "no connection"))
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(500)
    with pytest.raises(ProviderUnreachable, match="'openai' could not be asked"):
        await asking


async def test_a_baselines_no_beside_the_first_is_final_once_the_first_has_failed(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=400, third=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(500)
    answer = await asking
    assert (answer.model.name, answer.status) == (SECOND, 400)
    assert asker.upstream.asked == [FIRST, SECOND]


async def test_a_slow_baselines_own_no_is_the_callers_at_once(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=later())
    asking = asker.begin(*MODELS, arm=Arm.BASELINE)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(400)
    answer = await asking
    assert (answer.model.name, answer.status) == (FIRST, 400)


async def test_a_caller_that_leaves_ends_both(make_asker: Any) -> None:
    asker = make_asker(first=later(), second=later())
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    await until(lambda: len(asker.upstream.cancelled) == 2)
    assert sorted(asker.upstream.cancelled) == sorted([FIRST, SECOND])
    assert asker.record.model.name == FIRST
    assert asker.hedges("lost") == 1


async def test_of_two_answers_in_one_moment_the_firsts_is_given_and_the_others_closed(make_asker: Any) -> None:
    both = later()
    asker = make_asker(first=both, second=both)
    asker.breaker.learn({SECOND: 0})  # it is on trial, which must end with somebody's word
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    both.set_result(200)
    assert (await asking).model.name == FIRST
    await until(lambda: asker.upstream.given[SECOND].is_closed)
    assert asker.breaker.admits(SECOND)
    assert asker.hedges("lost") == 1


async def test_a_defect_met_beside_the_first_is_told_and_does_not_cost_its_answer(
    make_asker: Any, log_lines: list[dict[str, Any]]
) -> None:
    first = later()
    asker = make_asker(first=first, second=LookupError("a defect"))
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(200)
    assert (await asking).model.name == FIRST
    await until(lambda: [line for line in log_lines if line["event"] == "hedge failed"])


async def test_all_of_it_is_seen_in_a_metric_and_the_log(make_asker: Any, log_lines: list[dict[str, Any]]) -> None:
    asker = make_asker(first=later(), second=200)
    await asker.begin(*MODELS)
    (line,) = [line for line in log_lines if line["event"] == "hedge won"]
    assert (line["agent"], line["arm"], line["model"]) == ("qa", "candidate", SECOND)
    shown = {
        (sample.labels["agent"], sample.labels["arm"], sample.labels["result"])
        for family in asker.metrics.registry.collect()
        if family.name == "sluice_hedges"
        for sample in family.samples
    }
    results = ("won", "lost", "over_budget", "provider_busy")
    assert shown == {(a, arm, r) for a in ("qa", "legal") for arm in ("candidate", "baseline") for r in results}
