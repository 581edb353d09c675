from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fakeredis import FakeServer
from redis.asyncio import Redis

from sluice.gateway.assignment import Assignment
from sluice.gateway.configuration import Configuration
from sluice.gateway.limit_settings import AtCap, Budgets
from sluice.gateway.limited import CapSpent
from sluice.gateway.metrics import Metrics
from sluice.gateway.outcome import Arm
from sluice.gateway.spend import Spend
from sluice.gateway.store import SharedStore

pytestmark = pytest.mark.anyio

TUNED, BOUGHT = "qa-20251031", "gpt-4o"


def with_budgets(configuration: Configuration, at_cap: AtCap = AtCap.BASELINE) -> Configuration:
    models = {name: replace(model, fine_tuned=name != BOUGHT) for name, model in configuration.models.items()}
    return replace(configuration, models=models, budgets=Budgets(5, 50, 100, at_cap))


@pytest.fixture
async def replica(
    configuration: Configuration, connect_redis: Callable[[], Redis]
) -> AsyncIterator[Callable[..., Any]]:
    """Start another replica; it has told what was spent whenever `_flush` has run."""
    stores = []

    async def make(at_cap: AtCap = AtCap.BASELINE, *, shared: bool = True) -> Spend:
        budgeted = with_budgets(configuration, at_cap)
        metrics = Metrics(budgeted.agents)
        store = SharedStore("dev", connect_redis() if shared else None, metrics.registry)
        stores.append(store)
        await store.open()
        spend = Spend(budgeted, store, metrics)
        spend.models = budgeted.models  # type: ignore[attr-defined]
        await spend._flush()
        return spend

    yield make
    for store in stores:
        await store.close()


def spend_on(spend: Any, model: str, dollars: float, agent: str = "qa") -> None:
    spend.add(agent, spend.models[model], dollars)


def assigned(spend: Any, arm: Arm, *models: str) -> Assignment:
    return Assignment(arm, tuple(spend.models[name] for name in models))


def month(spend: Any, **which: Any) -> float:
    return float(spend.total(spend._day()[:7], **which))


async def test_replicas_count_together_by_agent_and_kind_of_model(replica: Any) -> None:
    one, two = await replica(), await replica()
    spend_on(one, TUNED, 0.002)
    spend_on(one, BOUGHT, 0.015)
    spend_on(two, TUNED, 0.003, agent="legal")
    await one._flush()
    await two._flush()
    await one._flush()
    for spend in (one, two):
        assert month(spend) == pytest.approx(0.020)
        assert month(spend, fine_tuned=True) == pytest.approx(0.005)
        assert spend.total(spend._day(), "qa") == pytest.approx(0.017)
        assert spend.total(spend._day(), "legal", fine_tuned=True) == pytest.approx(0.003)
    shown = one._metrics.registry.get_sample_value
    labels = {"agent": "all", "window": "month", "models": "fine_tuned"}
    assert shown("sluice_spend_dollars", labels) == pytest.approx(0.005)


async def test_a_restart_knows_what_was_spent_before_it_answers(replica: Any) -> None:
    before = await replica()
    spend_on(before, TUNED, 99.5)
    await before.close()
    after = await replica()
    assert month(after, fine_tuned=True) == pytest.approx(99.5)
    spend_on(after, TUNED, 0.6)
    assert after.capped  # at once, by what it spent itself, before anything is told


async def test_what_was_spent_while_redis_was_away_is_counted_and_told_later(
    replica: Any, redis_server: FakeServer, eventually: Any
) -> None:
    one, two = await replica(), await replica()
    spend_on(one, TUNED, 1.0)
    await one._flush()
    redis_server.connected = False
    for _ in range(3):
        spend_on(one, TUNED, 0.5)
        await one._flush()
    assert month(one) == pytest.approx(2.5)
    redis_server.connected = True
    await eventually(lambda: one._store.up and two._store.up)
    await one._flush()
    await two._flush()
    assert [month(one), month(two)] == pytest.approx([2.5, 2.5])
    assert one._batches == []


async def test_a_batch_whose_answer_was_lost_is_not_counted_twice(replica: Any) -> None:
    one = await replica()
    spend_on(one, TUNED, 1.0)
    batch = one._batches[0]
    await one._tell(batch)  # Redis has it; that it was told is not known here
    assert batch in one._batches
    one._known.clear()
    await one._flush()
    assert month(await replica()) == pytest.approx(1.0)


async def test_a_redis_that_forgot_everything_hears_it_again(replica: Any, connect_redis: Any) -> None:
    one = await replica()
    spend_on(one, TUNED, 3.0)
    await one._flush()
    await connect_redis().flushall()
    spend_on(one, TUNED, 0.5, agent="legal")
    await one._flush()
    fresh = await replica()
    assert month(fresh) == pytest.approx(3.5)
    assert month(fresh, name="qa") == pytest.approx(3.0)


async def test_at_the_cap_the_candidate_is_off(replica: Any) -> None:
    spend = await replica()
    candidate = assigned(spend, Arm.CANDIDATE, TUNED, BOUGHT)
    spend_on(spend, TUNED, 99.99)
    assert spend.within_cap("qa", candidate) is candidate
    spend_on(spend, BOUGHT, 1000)  # baselines have no cap
    assert spend.within_cap("qa", candidate) is candidate
    spend_on(spend, TUNED, 0.01)
    assert spend.within_cap("qa", candidate) == assigned(spend, Arm.BASELINE, BOUGHT)
    graduated = assigned(spend, Arm.BASELINE, TUNED, BOUGHT)
    assert spend.within_cap("qa", graduated) == assigned(spend, Arm.BASELINE, BOUGHT)


@pytest.mark.parametrize("at_cap", AtCap)
async def test_at_the_cap_it_is_429_where_the_registry_says_so_or_nobody_else_is_left(
    replica: Any, at_cap: AtCap
) -> None:
    spend = await replica(at_cap)
    spend_on(spend, TUNED, 100)
    models = (TUNED, BOUGHT) if at_cap is AtCap.REJECT else (TUNED,)
    with pytest.raises(CapSpent, match=r"The month's cap of \$100 for fine-tuned models is spent") as refused:
        spend.within_cap("qa", assigned(spend, Arm.CANDIDATE, *models))
    assert refused.value.status == 429
    assert 0 < refused.value.retry_after_seconds <= 31 * 86400 + 1
    baseline = assigned(spend, Arm.BASELINE, BOUGHT)
    assert spend.within_cap("qa", baseline) == baseline


async def test_a_new_month_begins_at_nothing_and_by_redis_clock(replica: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spend = await replica()
    spend_on(spend, TUNED, 100)
    assert spend.capped
    spend._clock_offset += spend._seconds_to_next_month() + 1
    assert not spend.capped
    spend_on(spend, TUNED, 1)
    assert month(spend) == pytest.approx(1)
    await spend._flush()  # hears Redis' time, which is not yet that far
    assert spend._now().month == datetime.now(UTC).month
    assert spend.capped


async def test_the_pods_clock_plays_no_part_once_redis_answered(replica: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spend = await replica()
    day = spend._day()
    monkeypatch.setattr("sluice.gateway.spend.time.time", lambda: 0.0)
    assert spend._day() == day


async def test_without_redis_a_replica_counts_by_itself(replica: Any) -> None:
    spend = await replica(shared=False)
    spend_on(spend, TUNED, 100)
    await spend._flush()
    assert spend.capped
    assert len(spend._batches) == 1


async def test_counters_expire(replica: Any, connect_redis: Any) -> None:
    spend = await replica()
    spend_on(spend, TUNED, 1)
    await spend._flush()
    redis = connect_redis()
    for key in await redis.keys("*"):
        assert await redis.ttl(key) > 0
