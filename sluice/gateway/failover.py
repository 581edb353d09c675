"""Asks the models of an assignment in their order until one answers, all within one deadline.

Whatever a model does wrong before its answer has begun is made good by the next: a refused connection or key, silence,
429, 5xx, garbage, a stream cut before its first token. What is wrong with the request (400, 413, 422 ...) is not asked
of the next, with one exception: the candidate's no. It may come of the candidate alone, as a shorter context or a field
that its provider does not know, and what the baseline would have answered is the baseline's to refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.types import Scope

from sluice.gateway.assignment import Assignment
from sluice.gateway.attempt import Asked, Attempts, left_alone, time_for_one
from sluice.gateway.breaker import Breaker
from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.hedging import Hedging
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.rates import Rates
from sluice.gateway.request_id import provider_request_id
from sluice.gateway.upstream import Answer, Upstream


class Failover:
    """Calls models, and tells the breaker how each did."""

    def __init__(
        self, configuration: Configuration, upstream: Upstream, breaker: Breaker, rates: Rates, metrics: Metrics
    ) -> None:
        self._agents = configuration.agents
        self._breaker = breaker
        self._attempts = Attempts(configuration, upstream, breaker, rates, metrics)
        self._hedging = Hedging(configuration.agents, self._attempts, breaker, rates, metrics.registry)

    @asynccontextmanager
    async def answer(
        self, assignment: Assignment, chat: ChatRequest, scope: Scope, record: Record
    ) -> AsyncIterator[Answer]:
        """Give the answer of the first model that has one, else the last one's error; `record` says whose it is.

        The deadline is for the whole answer, or for the beginning of a stream, which may then take its time.
        Raises the refusal of the last model where it gave no answer at all.
        """
        answer = await self._ask(Asked(assignment, chat, scope, record))
        record.provider_request_id = provider_request_id(answer.headers)
        name = answer.model.name
        decided = False
        try:
            yield answer
            decided = True
        finally:
            answer.close()
            if answer.broke:
                self._attempts.failed(answer.model, record, "the stream broke")
            elif decided and answer.status < 300:
                self._breaker.succeeded(name)
            elif answer.status < 300:
                self._breaker.undecided(name)

    async def _ask(self, asked: Asked) -> Answer:
        first, agent, record = asked.assignment.models[0], self._agents[asked.chat.agent], asked.record
        models = self._admitted(asked.assignment.models)
        if models[0] is not first:
            record.why_failed = left_alone(first)
        ends = asyncio.get_running_loop().time() + agent.deadline_seconds
        if agent.hedge_after_seconds is not None and len(models) > 1:
            return await self._hedging.ask(asked, models, agent.hedge_after_seconds, ends)
        for number, model in enumerate(models):
            is_last = number == len(models) - 1
            asked.is_given_to(model)
            answer = await self._attempts.ask(model, asked, time_for_one(ends, is_last=is_last), is_last=is_last)
            if answer is not None:
                return answer
        raise AssertionError("the last model answers or raises")

    def _admitted(self, models: Sequence[Model]) -> Sequence[Model]:
        """Leave out the models that are left alone; with nobody else to ask, they are better than nothing."""
        return [model for model in models if self._breaker.admits(model.name)] or models
