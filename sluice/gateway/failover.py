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

from sluice.gateway import log
from sluice.gateway.assignment import Assignment
from sluice.gateway.breaker import Breaker
from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.outcome import Arm, Outcome, outcome_of_status
from sluice.gateway.rates import Rates
from sluice.gateway.refusals import ProviderTooSlow, Refusal
from sluice.gateway.request_id import provider_request_id
from sluice.gateway.upstream import Answer, Upstream

_SHARE_OF_ONE_ATTEMPT = 0.5
"""How much of the time that is left a model gets while others stand behind it; the last gets all."""


class Failover:
    """Calls models, and tells the breaker how each did."""

    def __init__(
        self, configuration: Configuration, upstream: Upstream, breaker: Breaker, rates: Rates, metrics: Metrics
    ) -> None:
        self._agents = configuration.agents
        self._upstream = upstream
        self._breaker = breaker
        self._rates = rates
        self._metrics = metrics

    @asynccontextmanager
    async def answer(
        self, assignment: Assignment, chat: ChatRequest, scope: Scope, record: Record
    ) -> AsyncIterator[Answer]:
        """Give the answer of the first model that has one, else the last one's error; `record` says whose it is.

        The deadline is for the whole answer, or for the beginning of a stream, which may then take its time.
        Raises the refusal of the last model where it gave no answer at all.
        """
        answer = await self._ask(assignment, chat, scope, record)
        name = answer.model.name
        decided = False
        try:
            yield answer
            decided = True
        finally:
            answer.close()
            if answer.broke:
                self._failed(answer.model, record, "the stream broke")
            elif decided and answer.status < 300:
                self._breaker.succeeded(name)
            elif answer.status < 300:
                self._breaker.undecided(name)

    async def _ask(self, assignment: Assignment, chat: ChatRequest, scope: Scope, record: Record) -> Answer:
        models = self._admitted(assignment.models)
        if models[0] is not assignment.models[0]:
            record.why_failed = f"{assignment.models[0].name}: left alone, as it kept failing"
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._agents[chat.agent].deadline_seconds
        for number, model in enumerate(models):
            is_last = number == len(models) - 1
            if not (is_last or self._breaker.admits(model.name)):
                continue  # another request has begun to try it in the meantime
            record.model, record.fell_back = model, model is not assignment.models[0]
            left = max(0.0, ends - loop.time())
            seconds = left if is_last else left * _SHARE_OF_ONE_ATTEMPT
            may_refuse = assignment.arm is not Arm.CANDIDATE or model is not assignment.models[0]
            answer = await self._attempt(model, chat, scope, record, seconds, is_last=is_last, no_is_final=may_refuse)
            if answer is not None:
                record.provider_request_id = provider_request_id(answer.headers)
                return answer
        raise AssertionError("the last model answers or raises")

    async def _attempt(
        self,
        model: Model,
        chat: ChatRequest,
        scope: Scope,
        record: Record,
        seconds: float,
        *,
        is_last: bool,
        no_is_final: bool,
    ) -> Answer | None:
        """Ask one model; None where the next one should be asked."""
        self._breaker.begin(model.name)
        settled = False
        try:
            answer = await self._call(model, chat, scope, seconds)
            outcome = outcome_of_status(answer.status)
            if outcome is Outcome.ERROR:
                self._failed(model, record, f"status {answer.status}", provider_request_id(answer.headers))
                settled = True
            elif outcome is Outcome.OK:
                settled = True  # by `answer`, when all of it has come
                return answer
            if is_last or (outcome is Outcome.REJECTED and no_is_final):
                return answer
            answer.close()
            if outcome is Outcome.REJECTED:
                record.why_failed = f"{model.name}: refused the request with status {answer.status}"
                log.info("candidate refused a request", agent=record.agent, model=model.name, status=answer.status)
            return None
        except Refusal as refusal:
            if refusal.outcome is Outcome.ERROR:
                self._failed(model, record, str(refusal))
                settled = True
            if is_last:
                raise
            return None
        finally:
            if not settled:
                self._breaker.undecided(model.name)

    async def _call(self, model: Model, chat: ChatRequest, scope: Scope, seconds: float) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                await self._rates.reach(model, chat.agent)
                return await self._upstream.call(model, chat, scope)
        except TimeoutError as error:
            raise ProviderTooSlow(model.provider.name, round(seconds, 1)) from error

    def _admitted(self, models: Sequence[Model]) -> Sequence[Model]:
        """Leave out the models that are left alone; with nobody else to ask, they are better than nothing."""
        return [model for model in models if self._breaker.admits(model.name)] or models

    def _failed(self, model: Model, record: Record, what: str, provider_id: str | None = None) -> None:
        record.why_failed = record.why_failed or f"{model.name}: {what}"  # the first is what the others made good
        self._breaker.failed(model.name, self._agents[record.agent].breaker)
        self._metrics.count_model_failure(model.name)
        named = {} if provider_id is None else {"provider_request_id": provider_id}
        log.warning("model failed", agent=record.agent, arm=record.arm, model=model.name, what=what, **named)
