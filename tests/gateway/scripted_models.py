"""Models that do what a test tells them to, when it tells them to, asked through a failover that may hedge.

The upstream and the providers' rates are made; failover, hedging, breaker and metrics are the real ones.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sluice.gateway.assignment import Assignment
from sluice.gateway.breaker import Breaker
from sluice.gateway.chat_request import ChatRequest, parse_chat_request
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.failover import Failover
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.outcome import Arm
from sluice.gateway.rates import Rates
from sluice.gateway.upstream import Upstream

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
    """Providers that have room or none; who does not wait for it learns that at once, or when `told` is done."""

    room: bool = True
    told: asyncio.Future[None] | None = None
    asking: int = 0
    reached: list[str] = field(default_factory=list)

    async def reach(self, model: Model, _agent: str) -> None:
        self.reached.append(model.name)

    async def reach_now(self, model: Model) -> bool:
        if self.told is not None:
            self.asking += 1
            await asyncio.shield(self.told)
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


@asynccontextmanager
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


def make(
    configuration: Configuration, after: float | None = SOON, deadline: float = 60.0, room: bool = True, **does: Any
) -> Asker:
    """Make an asker whose models do what is said; `after` is how long one may be silent."""
    agents = {
        name: replace(agent, hedge_after_seconds=after, deadline_seconds=deadline)
        for name, agent in configuration.agents.items()
    }
    configured = replace(configuration, agents=agents)
    upstream = Scripted(dict(zip(MODELS, (does.get(each) for each in ("first", "second", "third")), strict=True)))
    rates, breaker, metrics = ScriptedRates(room), Breaker(), Metrics(agents, models=configuration.models)
    failover = Failover(configured, cast("Upstream", upstream), breaker, cast("Rates", rates), metrics)
    return Asker(failover, upstream, rates, breaker, metrics, configured)


def later() -> asyncio.Future[Any]:
    """Return what a test gives a model to say when it wants to."""
    return asyncio.get_running_loop().create_future()
