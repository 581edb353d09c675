from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fakeredis import FakeServer
from starlette.requests import Request
from starlette.types import Send

from sluice.gateway.configuration import Configuration
from sluice.gateway.limit_settings import CallerLimits, Rate
from sluice.gateway.limited import AgentBusy, CallerBusy, ProviderBusy
from sluice.gateway.metrics import Metrics
from sluice.gateway.rates import Rates
from sluice.gateway.seats import Seats
from sluice.gateway.store import SharedStore

pytestmark = pytest.mark.anyio

ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}


async def test_beyond_an_agents_rate_it_is_429_on_every_replica_with_when_to_try_again(
    start: Any, mounted: Any, provider: Any, connect_redis: Any, eventually: Any
) -> None:
    recording, api = provider
    mounted.change = lambda document: document["agents"]["qa"].update(rate={"requests_per_second": 0.5, "burst": 3})
    replicas = [await start(api, connect_redis()) for _ in range(2)]
    statuses = []
    for running in replicas * 3:
        async with running.post(ASK) as response:
            statuses.append(response.status)
            if response.status == 429:
                error = (await response.json())["error"]
                assert error["code"] == "rate_limit_exceeded"
                assert error["message"] == "Agent 'qa' takes 0.5 requests a second; try again later."
                assert 1 <= int(response.headers["retry-after"]) <= 6
    assert statuses == [200, 200, 200, 429, 429, 429]
    assert len(recording.bodies) == 3
    async with replicas[0].post({**ASK, "model": "legal"}) as response:
        assert response.status == 200  # one agent's rate is none of another's
    await eventually(
        lambda: replicas[0].metric("sluice_requests_total", agent="qa", arm="none", outcome="rejected") == 1
    )
    assert replicas[0].metric("sluice_limited_total", agent="qa", limit="agent_rate") == 1


async def test_a_lost_redis_refuses_nobody_who_keeps_to_the_rate(
    start: Any, mounted: Any, provider: Any, connect_redis: Any, redis_server: FakeServer
) -> None:
    _, api = provider
    mounted.change = lambda document: document["agents"]["qa"].update(rate={"requests_per_second": 5, "burst": 50})
    running = await start(api, connect_redis(), replicas=2)
    for number in range(10):
        redis_server.connected = number < 5
        async with running.post(ASK) as response:
            assert response.status == 200
    assert running.metric("sluice_store_up") == 0


@pytest.fixture
async def make_rates(configuration: Configuration, connect_redis: Any) -> Any:
    """Make the rates of one replica from a configuration with limits."""
    stores = []

    async def make() -> Rates:
        limited = with_rates(configuration)
        metrics = Metrics(limited.agents)
        store = SharedStore("dev", connect_redis(), metrics.registry)
        stores.append(store)
        await store.open()
        return Rates(limited, store, metrics, 1)

    yield make
    for store in stores:
        await store.close()


def with_rates(configuration: Configuration) -> Configuration:
    limits = CallerLimits(caller=Rate(0.1, 2), callers={"halo": Rate(0.1, 4)})
    providers = {name: replace(provider, requests_per_second=5) for name, provider in configuration.providers.items()}
    models = {
        name: replace(model, provider=providers[model.provider.name]) for name, model in configuration.models.items()
    }
    agents = {name: replace(agent, rate=Rate(0.1, 5)) for name, agent in configuration.agents.items()}
    return replace(configuration, limits=limits, providers=providers, models=models, agents=agents)


async def test_callers_have_rates_of_their_own_and_share_the_agents(make_rates: Any) -> None:
    one, two = await make_rates(), await make_rates()
    for rates in (one, two):
        await rates.admit("qa", "team-a")
    with pytest.raises(CallerBusy, match=r"Caller 'team-a' may send 0\.1 requests a second"):
        await one.admit("qa", "team-a")
    for _ in range(3):
        await two.admit("qa", "halo")
    with pytest.raises(AgentBusy, match=r"Agent 'qa' takes 0\.1 requests a second") as refused:
        await one.admit("qa", "halo")
    assert refused.value.retry_after_seconds <= 50
    await one.admit("legal", "halo")  # its fourth, since the one that the agent refused is not counted


@dataclass
class MadeClock:
    """What replicas and their Redis take for the time; whoever waits is told the time after it at once."""

    now: float = 1_762_000_000.0
    waited: float = 0.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waited = seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MadeClock:
    made = MadeClock()
    monkeypatch.setattr("fakeredis.commands_mixins.server_mixin.time", made)
    monkeypatch.setattr("sluice.gateway.window.time", made)
    monkeypatch.setattr("sluice.gateway.rates.asyncio", made)
    return made


async def test_a_second_model_takes_a_providers_room_only_where_there_is_some_at_once(
    make_rates: Any, configuration: Configuration, clock: MadeClock
) -> None:
    one, two = [await make_rates() for _ in range(2)]
    model = configuration.models["gpt-4o"]
    assert [await rates.reach_now(model) for rates in (one, two) * 3] == [True] * 5 + [False]
    assert await one.reach_now(configuration.models["claude-sonnet-4"])
    clock.now += 0.8
    assert not await one.reach_now(model)
    await one.reach(model, "qa")
    assert clock.waited == pytest.approx(0.22, abs=0.01)  # the one that waits gets the turn
    clock.now += 0.3
    assert [await two.reach_now(model) for _ in range(5)] == [True] * 4 + [False]


async def test_a_provider_is_asked_no_more_than_it_allows_in_any_second_by_all_replicas(
    make_rates: Any, configuration: Configuration, clock: MadeClock
) -> None:
    replicas = [await make_rates() for _ in range(3)]
    model = configuration.models["qa-20251031"]
    asked: list[float] = []
    for _ in range(52):
        for rates in replicas:
            clock.waited = 0.0
            with suppress(ProviderBusy):
                await rates.reach(model, "qa")
                asked.append(clock.now + clock.waited)
        clock.now += 0.05
    most = max(sum(1 for other in asked if at <= other < at + 1) for at in asked)
    assert most == 5
    assert len(asked) >= 13


async def test_a_provider_with_no_room_within_half_a_second_is_left_for_another_model(
    make_rates: Any, configuration: Configuration, clock: MadeClock
) -> None:
    rates = await make_rates()
    model = configuration.models["qa-20251031"]
    for _ in range(5):
        await rates.reach(model, "qa")
    with pytest.raises(ProviderBusy, match="Provider 'mistral' is asked as often as it allows"):
        await rates.reach(model, "qa")
    assert clock.waited == 0
    await rates.reach(configuration.models["gpt-4o"], "qa")


@pytest.mark.parametrize(
    ("at_cap", "expected"),
    [("baseline", [(200, "candidate"), (200, "baseline")]), ("reject", [(200, "candidate"), (429, None)])],
)
async def test_once_the_months_cap_is_spent_the_candidate_is_off_or_refused(
    start: Any, mounted: Any, stub: str, connect_redis: Any, at_cap: str, expected: list[tuple[int, str | None]]
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["models"]["qa-20251031"]["fine_tuned"] = True
        document["budgets"] = {"month": {"budget": 0, "cap": 0.000001, "at_cap": at_cap}}

    mounted.change = change
    mounted.write_flags(qa=100)
    running = await start(stub, connect_redis())
    seen = []
    for _ in range(2):
        async with running.post(ASK) as response:
            seen.append((response.status, response.headers.get("x-sluice-arm")))
            body = await response.json()
    assert seen == expected
    if at_cap == "reject":
        assert body["error"]["code"] == "budget_exceeded"
        assert running.metric("sluice_limited_total", agent="qa", limit="spend") == 1


async def test_beyond_what_it_takes_at_once_it_is_503_at_once(
    start: Any, mounted: Any, provider: Any, eventually: Any
) -> None:
    recording, api = provider
    release = asyncio.Event()

    async def held(_request: Request, send: Send) -> None:
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"choices":[{"message":{}}]}'})

    recording.respond = held
    mounted.change = lambda document: document.update(limits={"at_once": 2, "waiting": 1})
    running = await start(api)

    async def ask() -> int:
        async with running.post(ASK) as response:
            return int(response.status)

    answered = [asyncio.create_task(ask()) for _ in range(3)]
    await eventually(lambda: len(recording.bodies) == 2)
    assert running.metric("sluice_requests_in_flight") == 2
    await asyncio.sleep(0.05)
    async with running.post(ASK) as response:
        assert response.status == 503
        assert response.headers["retry-after"] == "1"
        assert json.loads(await response.read())["error"]["code"] == "overloaded"
    assert not any(asked.done() for asked in answered)  # least of all the one that waited before
    release.set()
    assert await asyncio.gather(*answered) == [200, 200, 200]
    await eventually(lambda: running.metric("sluice_requests_in_flight") == 0)
    assert running.metric("sluice_limited_total", agent="unknown", limit="overload") == 1


async def test_seats_are_given_back_by_those_that_give_up_waiting(configuration: Configuration) -> None:
    seats = Seats(1, 10, Metrics(configuration.agents))
    entered = asyncio.Event()
    leave = asyncio.Event()

    async def sit() -> None:
        async with seats:
            entered.set()
            await leave.wait()

    first = asyncio.create_task(sit())
    await entered.wait()
    waiting = [asyncio.create_task(sit()) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    leave.set()  # hands the seat on in the very turn in which the first of the line is cancelled
    await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [task.cancelled() for task in waiting] == [True, False, False]
    assert seats._taken == 0
    async with seats:
        assert seats._taken == 1
