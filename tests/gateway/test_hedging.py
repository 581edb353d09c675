"""Two models asked at once, each doing what a test tells it to, when it tells it to."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.gateway.assignment import Assignment
from sluice.gateway.breaker import Breaker
from sluice.gateway.chat_request import ChatRequest, parse_chat_request
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.failover import Failover
from sluice.gateway.hedge_budget import MOST_SAVED, REQUESTS_FOR_A_HEDGE, HedgeBudget
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.outcome import Arm
from sluice.gateway.rates import Rates
from sluice.gateway.refusals import ProviderTooSlow, ProviderUnreachable
from sluice.gateway.upstream import Upstream

pytestmark = pytest.mark.anyio

MODELS = ("qa-20251031", "gpt-4o", "claude-sonnet-4")
FIRST, SECOND, THIRD = MODELS
CHAT = parse_chat_request(b'{"model":"qa","messages":[{"role":"user","content":"hello"}]}')

SOON, NEVER_SOON = 0.01, 60.0
"""A wait that always ends within a test, and one that never does."""


@dataclass
class Given:
    """An answer as the upstream makes one."""

    model: Model
    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    broke: bool = False
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Scripted:
    """An upstream whose models do what `does` says: a status or an error, at once, by a future, or by a function."""

    does: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    given: dict[str, Given] = field(default_factory=dict)

    async def call(self, model: Model, _chat: ChatRequest, _scope: object) -> Given:
        self.asked.append(model.name)
        does = self.does[model.name]
        does = does() if callable(does) else does
        try:
            comes = await asyncio.shield(does) if isinstance(does, asyncio.Future) else does
        except asyncio.CancelledError:
            self.cancelled.append(model.name)
            raise
        if isinstance(comes, Exception):
            raise comes
        answer = self.given[model.name] = Given(model, comes)
        return answer


@dataclass
class ScriptedRates:
    """Providers that have room or none."""

    room: bool = True
    reached: list[str] = field(default_factory=list)

    async def reach(self, model: Model, _agent: str) -> None:
        self.reached.append(model.name)

    async def reach_now(self, model: Model) -> bool:
        if self.room:
            self.reached.append(model.name)
        return self.room


@dataclass
class Asker:
    """Asks the models of an arm through a failover with hedging."""

    failover: Failover
    upstream: Scripted
    rates: ScriptedRates
    breaker: Breaker
    metrics: Metrics
    configuration: Configuration
    record: Record = field(default_factory=Record)

    def begin(self, *models: str, arm: Arm = Arm.CANDIDATE) -> asyncio.Task[Given]:
        """Begin a request; its answer is used as a caller does, to its end."""
        assignment = Assignment(arm, tuple(self.configuration.models[name] for name in models))
        self.record = Record(agent="qa", arm=arm)
        return asyncio.create_task(self._ask(assignment, self.record))

    async def _ask(self, assignment: Assignment, record: Record) -> Given:
        async with self.failover.answer(assignment, CHAT, {}, record) as answer:
            return cast("Given", answer)

    def hedges(self, result: str, arm: Arm = Arm.CANDIDATE) -> float:
        labels = {"agent": "qa", "arm": str(arm), "result": result}
        return self.metrics.registry.get_sample_value("sluice_hedges_total", labels) or 0.0

    def failures(self, model: str) -> float:
        return self.metrics.registry.get_sample_value("sluice_model_failures_total", {"model": model}) or 0.0

    async def until_asked(self, *models: str) -> None:
        await until(lambda: self.upstream.asked == list(models))


def ours() -> list[str]:
    """Return what runs and is none of the test runner's."""
    running = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in running if name.startswith(("Asker", "Attempts", "Hedging"))]


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Hold a test to leave no task behind, and no exception that nobody looked at."""
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    yield
    await until(lambda: not ours())
    gc.collect()
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert told == []


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true; fails after a minute, which no machine is too busy for."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def make(configuration: Configuration, nothing_left: None) -> Callable[..., Asker]:
    """Make an asker whose models do what is said; `after` is how long one may be silent."""

    def made(after: float | None = SOON, deadline: float = 60.0, room: bool = True, **does: Any) -> Asker:
        agents = {
            name: replace(agent, hedge_after_seconds=after, deadline_seconds=deadline)
            for name, agent in configuration.agents.items()
        }
        configured = replace(configuration, agents=agents)
        upstream = Scripted(dict(zip(MODELS, (does.get(each) for each in ("first", "second", "third")), strict=True)))
        rates, breaker, metrics = ScriptedRates(room), Breaker(), Metrics(agents, models=configuration.models)
        failover = Failover(configured, cast("Upstream", upstream), breaker, cast("Rates", rates), metrics)
        return Asker(failover, upstream, rates, breaker, metrics, configured)

    return made


def later() -> asyncio.Future[Any]:
    """Return what a test gives a model to say when it wants to."""
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("arm", [Arm.CANDIDATE, Arm.BASELINE])
async def test_the_next_models_answer_is_the_callers_where_the_first_is_slow(make: Any, arm: Arm) -> None:
    asker = make(first=later(), second=200)
    answer = await asker.begin(*MODELS, arm=arm)
    assert (answer.model.name, answer.status) == (SECOND, 200)
    assert (asker.record.model.name, asker.record.fell_back) == (SECOND, True)
    assert asker.record.why_failed == f"{FIRST}: no answer within 0.01 seconds"
    assert asker.upstream.asked == asker.rates.reached == [FIRST, SECOND]
    assert asker.hedges("won", arm) == 1
    assert asker.hedges("lost", arm) == 0


async def test_the_slow_model_is_cancelled_and_has_not_failed(make: Any) -> None:
    asker = make(first=later(), second=200)
    for _ in range(MOST_SAVED):  # as many failures would open the breaker
        await asker.begin(*MODELS)
    assert asker.upstream.cancelled == [FIRST] * MOST_SAVED
    assert asker.breaker.admits(FIRST)
    assert asker.failures(FIRST) == 0
    assert asker.hedges("won") == MOST_SAVED


@pytest.mark.parametrize("models", [MODELS, MODELS[1:]])
async def test_a_model_that_answers_in_time_is_asked_alone(make: Any, models: tuple[str, ...]) -> None:
    asker = make(after=NEVER_SOON, first=200, second=200)
    answer = await asker.begin(*models)
    assert asker.upstream.asked == [answer.model.name] == [models[0]]
    assert not asker.record.fell_back
    assert asker.hedges("won") == asker.hedges("lost") == 0


async def test_without_hedge_after_no_two_are_asked_at_once(make: Any) -> None:
    first = later()
    asker = make(after=None, first=first, second=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST)
    await asyncio.sleep(0.05)
    assert asker.upstream.asked == [FIRST]
    first.set_result(200)
    assert (await asking).model.name == FIRST


async def test_a_slow_model_that_answers_first_after_all_is_the_callers(make: Any) -> None:
    first = later()
    asker = make(first=first, second=later())
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(200)
    assert (await asking).model.name == FIRST
    assert (asker.record.model.name, asker.record.fell_back, asker.record.why_failed) == (FIRST, False, "")
    assert (asker.hedges("won"), asker.hedges("lost")) == (0, 1)
    await until(lambda: asker.upstream.cancelled == [SECOND])


@pytest.mark.parametrize("wrong", [500, 429, 400, ProviderUnreachable("openai", "no connection")], ids=str)
async def test_what_a_hedge_does_wrong_is_no_answer_while_the_first_may_have_one(make: Any, wrong: Any) -> None:
    first = later()
    asker = make(first=first, second=wrong)
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
async def test_where_the_first_fails_the_hedge_goes_on_and_is_not_asked_again(make: Any, wrong: Any) -> None:
    first, second = later(), later()
    asker = make(first=first, second=second)
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


async def test_where_both_fail_the_others_follow(make: Any) -> None:
    first = later()
    asker = make(first=first, second=500, third=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(503)
    assert (await asking).model.name == THIRD
    assert (asker.record.model.name, asker.record.fell_back) == (THIRD, True)
    assert asker.upstream.asked == [*MODELS]
    assert asker.hedges("lost") == 1


async def test_a_model_that_fails_before_its_time_is_made_good_by_the_next_which_may_be_hedged(make: Any) -> None:
    asker = make(first=500, second=later(), third=200)
    assert (await asker.begin(*MODELS)).model.name == THIRD
    assert asker.upstream.asked == [*MODELS]
    assert asker.record.why_failed == f"{FIRST}: status 500"
    assert asker.hedges("won") == 1


async def test_no_three_are_asked_at_once(make: Any) -> None:
    second = later()
    asker = make(first=later(), second=second, third=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    await asyncio.sleep(0.05)
    assert asker.upstream.asked == [FIRST, SECOND]
    second.set_result(200)
    assert (await asking).model.name == SECOND


async def test_where_nobody_answers_the_caller_is_told_what_the_last_one_did(make: Any) -> None:
    first = later()
    asker = make(first=first, second=503)
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(500)
    answer = await asking
    assert (answer.model.name, answer.status) == (SECOND, 503)
    assert asker.record.model.name == SECOND


async def test_where_nobody_answers_the_last_ones_refusal_is_raised(make: Any) -> None:
    first = later()
    asker = make(first=first, second=ProviderUnreachable("openai", "no connection"))
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(500)
    with pytest.raises(ProviderUnreachable, match="'openai' could not be asked"):
        await asking


async def test_a_baselines_no_beside_the_first_is_final_once_the_first_has_failed(make: Any) -> None:
    first = later()
    asker = make(first=first, second=400, third=200)
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(500)
    answer = await asking
    assert (answer.model.name, answer.status) == (SECOND, 400)
    assert asker.upstream.asked == [FIRST, SECOND]


async def test_a_slow_baselines_own_no_is_the_callers_at_once(make: Any) -> None:
    first = later()
    asker = make(first=first, second=later())
    asking = asker.begin(*MODELS, arm=Arm.BASELINE)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(400)
    answer = await asking
    assert (answer.model.name, answer.status) == (FIRST, 400)


async def test_both_are_within_the_one_deadline(make: Any) -> None:
    asker = make(deadline=0.2, first=later(), second=later())
    began = asyncio.get_running_loop().time()
    with pytest.raises(ProviderTooSlow, match="Provider 'openai' was silent for"):
        await asker.begin(FIRST, SECOND)
    assert asyncio.get_running_loop().time() - began > 0.15
    assert sorted(asker.upstream.cancelled) == sorted([FIRST, SECOND])
    assert (asker.failures(FIRST), asker.failures(SECOND)) == (1, 1)


@pytest.mark.parametrize(("models", "half"), [((FIRST, SECOND), False), (MODELS, True)])
async def test_the_first_has_all_the_time_once_nobody_stands_behind_it(
    make: Any, monkeypatch: pytest.MonkeyPatch, models: tuple[str, ...], half: bool
) -> None:
    limits: list[asyncio.Timeout] = []

    def kept(ends: float, *, is_last: bool) -> asyncio.Timeout:
        limits.append(asyncio.timeout_at(ends if is_last else ends - 30))
        return limits[-1]

    monkeypatch.setattr("sluice.gateway.hedging.time_for_one", kept)
    first = later()
    asker = make(first=first, second=500)
    ends = asyncio.get_running_loop().time() + 60
    asking = asker.begin(*models)
    await asker.until_asked(FIRST, SECOND)
    assert limits[0].when() == pytest.approx(ends - 30 * half, abs=10)
    first.set_result(200)
    assert (await asking).model.name == FIRST


async def test_a_provider_without_room_is_not_asked_beside_another_and_has_its_turn_later(make: Any) -> None:
    first = later()
    asker = make(room=False, first=first, second=200)
    asking = asker.begin(*MODELS)
    await until(lambda: asker.hedges("provider_busy"))
    assert asker.upstream.asked == [FIRST]
    first.set_result(500)
    assert (await asking).model.name == SECOND
    assert asker.rates.reached == [FIRST, SECOND]
    assert asker.hedges("won") == asker.hedges("lost") == 0


async def test_a_hedge_that_found_no_room_costs_nothing_of_the_budget(make: Any) -> None:
    asker = make(room=False, first=later(), second=200)
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


async def test_a_model_that_is_left_alone_is_nobodys_hedge(make: Any) -> None:
    asker = make(first=later(), second=200, third=200)
    asker.breaker.learn({SECOND: 60})
    assert (await asker.begin(*MODELS)).model.name == THIRD
    assert asker.upstream.asked == [FIRST, THIRD]


@pytest.mark.parametrize("fails", [False, True], ids=["slow", "failing"])
async def test_a_model_that_another_request_has_begun_to_try_is_left_to_it(make: Any, fails: bool) -> None:
    asker = make(third=200)

    def first() -> object:
        asker.breaker.begin(SECOND)
        return 500 if fails else later()

    asker.upstream.does[FIRST] = first
    asker.breaker.learn({SECOND: 0})
    assert (await asker.begin(*MODELS)).model.name == THIRD
    assert asker.upstream.asked == [FIRST, THIRD]


async def test_who_has_nobody_behind_is_not_hedged(make: Any) -> None:
    first = later()
    asker = make(first=first, second=200)
    asker.breaker.learn({SECOND: 60})
    asking = asker.begin(FIRST, SECOND)
    await asker.until_asked(FIRST)
    await asyncio.sleep(0.05)
    assert asker.upstream.asked == [FIRST]
    first.set_result(200)
    assert (await asking).model.name == FIRST
    assert asker.hedges("over_budget") == 0


async def test_a_model_on_trial_that_is_slow_may_be_tried_again(make: Any) -> None:
    asker = make(first=later(), second=200)
    asker.breaker.learn({FIRST: 0})
    assert (await asker.begin(*MODELS)).model.name == SECOND
    assert asker.upstream.asked == [FIRST, SECOND]
    await until(lambda: asker.breaker.admits(FIRST))


async def test_a_provider_that_is_always_slow_is_not_doubled(make: Any) -> None:
    asker = make(first=later(), second=200)
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


async def test_a_caller_that_leaves_ends_both(make: Any) -> None:
    asker = make(first=later(), second=later())
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    await until(lambda: len(asker.upstream.cancelled) == 2)
    assert sorted(asker.upstream.cancelled) == sorted([FIRST, SECOND])
    assert asker.record.model.name == FIRST
    assert asker.hedges("lost") == 1


async def test_of_two_answers_in_one_moment_the_firsts_is_given_and_the_others_closed(make: Any) -> None:
    both = later()
    asker = make(first=both, second=both)
    asker.breaker.learn({SECOND: 0})  # it is on trial, which must end with somebody's word
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    both.set_result(200)
    assert (await asking).model.name == FIRST
    await until(lambda: asker.upstream.given[SECOND].is_closed)
    assert asker.breaker.admits(SECOND)
    assert asker.hedges("lost") == 1


async def test_a_defect_met_beside_the_first_is_told_and_does_not_cost_its_answer(
    make: Any, log_lines: list[dict[str, Any]]
) -> None:
    first = later()
    asker = make(first=first, second=LookupError("a defect"))
    asking = asker.begin(*MODELS)
    await asker.until_asked(FIRST, SECOND)
    first.set_result(200)
    assert (await asking).model.name == FIRST
    await until(lambda: [line for line in log_lines if line["event"] == "hedge failed"])


async def test_all_of_it_is_seen_in_a_metric_and_the_log(make: Any, log_lines: list[dict[str, Any]]) -> None:
    asker = make(first=later(), second=200)
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
