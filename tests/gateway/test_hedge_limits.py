"""What a hedge may not do: ask whom the breaker leaves alone, pass the budget, a provider's rate or the deadline."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.hedge_budget import MOST_SAVED, REQUESTS_FOR_A_HEDGE, HedgeBudget
from sluice.gateway.refusals import ProviderTooSlow
from tests.gateway.scripted_models import FIRST, MODELS, NEVER_SOON, SECOND, THIRD, later, until

pytestmark = pytest.mark.anyio


async def test_both_are_within_the_one_deadline(make_asker: Any) -> None:
    asker = make_asker(deadline=0.2, first=later(), second=later())
    began = asyncio.get_running_loop().time()
    with pytest.raises(ProviderTooSlow, match="Provider 'openai' was silent for"):
        await asker.begin(FIRST, SECOND)
    assert asyncio.get_running_loop().time() - began > 0.15
    assert sorted(asker.upstream.cancelled) == sorted([FIRST, SECOND])
    assert (asker.failures(FIRST), asker.failures(SECOND)) == (1, 1)


@pytest.mark.parametrize(("models", "half"), [((FIRST, SECOND), False), (MODELS, True)])
async def test_the_first_has_all_the_time_once_nobody_stands_behind_it(
    make_asker: Any, monkeypatch: pytest.MonkeyPatch, models: tuple[str, ...], half: bool
) -> None:
    limits: list[asyncio.Timeout] = []

    def kept(ends: float, *, is_last: bool) -> asyncio.Timeout:
        limits.append(asyncio.timeout_at(ends if is_last else ends - 30))
        return limits[-1]

    monkeypatch.setattr("sluice.gateway.hedging.time_for_one", kept)
    first = later()
    asker = make_asker(first=first, second=500)
    ends = asyncio.get_running_loop().time() + 60
    asking = asker.begin(*models)
    await asker.until_asked(FIRST, SECOND)
    assert limits[0].when() == pytest.approx(ends - 30 * half, abs=10)
    first.set_result(200)
    assert (await asking).model.name == FIRST


async def test_a_provider_without_room_is_not_asked_beside_another_and_has_its_turn_later(make_asker: Any) -> None:
    first = later()
    asker = make_asker(room=False, first=first, second=200)
    asking = asker.begin(*MODELS)
    await until(lambda: asker.hedges("provider_busy"))
    assert asker.upstream.asked == [FIRST]
    first.set_result(500)
    assert (await asking).model.name == SECOND
    assert asker.rates.reached == [FIRST, SECOND]
    assert asker.hedges("won") == asker.hedges("lost") == 0


async def test_a_hedge_that_found_no_room_costs_nothing_of_the_budget(make_asker: Any) -> None:
    asker = make_asker(room=False, first=later(), second=200)
    beginnings: list[asyncio.Future[int]] = []
    for _ in range(2 * MOST_SAVED):
        asker.upstream.does[FIRST] = first = later()
        beginnings.append(first)
        asking = asker.begin(*MODELS)
        await until(lambda: asker.hedges("provider_busy") == len(beginnings))
        first.set_result(200)
        await asking
    asker.rates.room, asker.upstream.does[FIRST] = True, later()
    await asker.begin(*MODELS)
    assert asker.hedges("won") == 1


async def test_a_model_that_is_left_alone_is_nobodys_hedge(make_asker: Any) -> None:
    asker = make_asker(first=later(), second=200, third=200)
    asker.breaker.learn({SECOND: 60})
    assert (await asker.begin(*MODELS)).model.name == THIRD
    assert asker.upstream.asked == [FIRST, THIRD]


@pytest.mark.parametrize("fails", [False, True], ids=["slow", "failing"])
async def test_a_model_that_another_request_has_begun_to_try_is_left_to_it(make_asker: Any, fails: bool) -> None:
    asker = make_asker(third=200)

    def first() -> object:
        asker.breaker.begin(SECOND)
        return 500 if fails else later()

    asker.upstream.does[FIRST] = first
    asker.breaker.learn({SECOND: 0})
    assert (await asker.begin(*MODELS)).model.name == THIRD
    assert asker.upstream.asked == [FIRST, THIRD]


@pytest.mark.parametrize("after", [None, NEVER_SOON], ids=["alone", "hedged"])
async def test_of_ten_requests_in_one_moment_one_tries_a_model_on_trial(make_asker: Any, after: float | None) -> None:
    first = later()
    asker = make_asker(after=after, first=first, second=200)
    asker.breaker.learn({FIRST: 0})
    asking = [asker.begin(*MODELS) for _ in range(10)]
    await until(lambda: sum(task.done() for task in asking) == 9)
    assert sorted(asker.upstream.asked) == sorted([FIRST, *[SECOND] * 9])
    assert (asker.record.model.name, asker.record.fell_back) == (SECOND, True)
    assert asker.record.why_failed == f"{FIRST}: left alone, as it kept failing"
    first.set_result(200)
    assert [(await task).model.name for task in asking].count(FIRST) == 1


@pytest.mark.parametrize("models", [(FIRST, SECOND), MODELS], ids=["the last", "not the last"])
async def test_of_hedges_in_one_moment_one_tries_a_model_on_trial_and_the_others_keep_their_budget(
    make_asker: Any, models: tuple[str, ...]
) -> None:
    first = later()
    asker = make_asker(first=first, second=later(), third=200)
    asker.breaker.learn({SECOND: 0})
    asker.rates.told = told = later()
    asking = [asker.begin(*models) for _ in range(MOST_SAVED)]
    await until(lambda: asker.rates.asking == MOST_SAVED)
    told.set_result(None)
    await until(lambda: asker.rates.reached.count(SECOND) == MOST_SAVED)
    assert asker.upstream.asked == [*[FIRST] * MOST_SAVED, SECOND]
    first.set_result(200)
    assert {(await task).model.name for task in asking} == {FIRST}
    assert asker.hedges("lost") == 1

    asker.upstream.does.update({FIRST: later(), SECOND: 200})
    await until(lambda: asker.breaker.admits(SECOND))
    for _ in range(MOST_SAVED - 1):
        assert (await asker.begin(*models)).model.name == SECOND
    assert asker.hedges("over_budget") == 0


@pytest.mark.parametrize(
    ("models", "trial_is_over", "answers"),
    [(MODELS, True, SECOND), (MODELS, False, THIRD), ((FIRST, SECOND), False, SECOND)],
    ids=["over", "still on trial", "still on trial and the last"],
)
async def test_who_was_found_on_trial_when_it_was_to_be_a_hedge_keeps_its_turn(
    make_asker: Any, models: tuple[str, ...], trial_is_over: bool, answers: str
) -> None:
    first = later()
    asker = make_asker(first=first, second=200, third=200)
    asker.breaker.learn({SECOND: 0})
    asker.rates.told = told = later()
    asking = asker.begin(*models)
    await until(lambda: asker.rates.asking == 1)
    asker.breaker.begin(SECOND)
    told.set_result(None)
    await until(lambda: asker.rates.reached == [FIRST, SECOND])
    assert asker.upstream.asked == [FIRST]
    if trial_is_over:
        asker.breaker.succeeded(SECOND)
    first.set_result(500)
    assert (await asking).model.name == answers
    assert asker.upstream.asked == [FIRST, answers]
    assert asker.hedges("won") == asker.hedges("lost") == 0


async def test_who_has_nobody_behind_is_not_hedged(make_asker: Any) -> None:
    first = later()
    asker = make_asker(first=first, second=200)
    asker.breaker.learn({SECOND: 60})
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST)
    await asyncio.sleep(0.05)
    assert asker.upstream.asked == [FIRST]
    first.set_result(200)
    assert (await asking).model.name == FIRST
    assert asker.hedges("over_budget") == 0


async def test_a_model_on_trial_that_is_slow_may_be_tried_again(make_asker: Any) -> None:
    asker = make_asker(first=later(), second=200)
    asker.breaker.learn({FIRST: 0})
    assert (await asker.begin(*MODELS)).model.name == SECOND
    assert asker.upstream.asked == [FIRST, SECOND]
    await until(lambda: asker.breaker.admits(FIRST))


async def test_a_provider_that_is_always_slow_is_not_doubled(make_asker: Any) -> None:
    asker = make_asker(first=later(), second=200)
    for _ in range(MOST_SAVED):
        assert (await asker.begin(*MODELS)).model.name == SECOND
    asker.upstream.does[FIRST] = first = later()
    asking = asker.begin(*MODELS)
    await until(lambda: asker.hedges("over_budget"))
    first.set_result(200)
    assert (await asking).model.name == FIRST
    assert asker.upstream.asked.count(SECOND) == MOST_SAVED
    asker.upstream.does[FIRST] = 200
    for _ in range(REQUESTS_FOR_A_HEDGE):
        assert (await asker.begin(*MODELS)).model.name == FIRST
    asker.upstream.does[FIRST] = later()
    await asker.begin(*MODELS)
    assert asker.hedges("won") == MOST_SAVED + 1


@given(st.lists(st.booleans(), max_size=400))
def test_no_more_than_one_request_in_twenty_is_hedged_but_for_what_was_saved(slow: list[bool]) -> None:
    budget, hedged = HedgeBudget(), 0
    for number, is_slow in enumerate(slow, start=1):
        budget.earn()
        hedged += is_slow and budget.take()
        assert hedged <= MOST_SAVED + number / REQUESTS_FOR_A_HEDGE
    quiet = HedgeBudget()
    for _ in range(10_000):
        quiet.earn()
    assert [quiet.take() for _ in range(MOST_SAVED + 1)] == [True] * MOST_SAVED + [False]


def test_what_is_given_back_is_saved_up_no_further_than_what_is_earned() -> None:
    budget = HedgeBudget()
    for _ in range(MOST_SAVED):
        assert budget.take()
    for _ in range(MOST_SAVED * REQUESTS_FOR_A_HEDGE):
        budget.earn()
    for _ in range(MOST_SAVED):
        budget.give_back()
    assert [budget.take() for _ in range(MOST_SAVED + 1)] == [True] * MOST_SAVED + [False]


@pytest.mark.parametrize("kept_by", ["over_budget", "provider_busy"])
async def test_what_keeps_a_request_from_being_hedged_counts_once_for_all_its_slow_models(
    make_asker: Any, kept_by: str
) -> None:
    asker = make_asker(room=kept_by == "over_budget", first=later(), second=200, third=200)
    if kept_by == "over_budget":
        for _ in range(MOST_SAVED):
            await asker.begin(*MODELS)
    asker.upstream.asked.clear()
    first, second = asker.upstream.does[FIRST], later()
    asker.upstream.does[SECOND] = second
    asking = asker.begin(*MODELS)
    await until(lambda: asker.hedges(kept_by))
    first.set_result(500)
    await asker.until_asked(FIRST, SECOND)
    await asyncio.sleep(0.1)  # ten times what a model may be silent
    second.set_result(500)
    assert (await asking).model.name == THIRD
    assert asker.hedges(kept_by) == 1
