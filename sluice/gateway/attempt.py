"""Asks one model once, and tells the breaker, the metrics and the request's record how it did.

Which models are asked, and in what order, is for `failover.py`; whether two are asked at once, for `hedging.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

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


@dataclass(slots=True)
class Asked:
    """A request, and what is known of it so far. Not frozen: that takes three times as long, of every request."""

    assignment: Assignment
    chat: ChatRequest
    scope: Scope
    record: Record

    def is_given_to(self, model: Model) -> None:
        """Note whose the answer is, as far as is known."""
        self.record.model, self.record.fell_back = model, model is not self.assignment.models[0]


class Attempts:
    """What models are asked through."""

    def __init__(
        self, configuration: Configuration, upstream: Upstream, breaker: Breaker, rates: Rates, metrics: Metrics
    ) -> None:
        self._agents = configuration.agents
        self._upstream = upstream
        self._breaker = breaker
        self._rates = rates
        self._metrics = metrics

    async def ask(
        self, model: Model, asked: Asked, limit: asyncio.Timeout, *, is_last: bool, reached: bool = False
    ) -> Answer | None:
        """Ask one model; None where the next one should be asked, and at once where the breaker leaves it alone.

        The last one's answer is returned whatever it is, and its refusal raised. With `reached` its provider's rate
        has been passed. A good answer that is not used must be closed, and the breaker told.
        """
        record, settled = asked.record, False
        # Nothing may wait between this question and `begin`: of many requests one alone tries a model on trial.
        if not (is_last or self._breaker.admits(model.name)):
            record.why_failed = record.why_failed or left_alone(model)
            return None
        self._breaker.begin(model.name)
        try:
            answer = await self._call(model, asked, limit, reached=reached)
            outcome = outcome_of_status(answer.status)
            if outcome is Outcome.ERROR:
                self.failed(model, record, f"status {answer.status}", provider_request_id(answer.headers))
                settled = True
            elif outcome is Outcome.OK:
                settled = True  # by whoever uses it, when all of it has come
                return answer
            # The candidate's no may come of the candidate alone; any other model's is about the request.
            no_is_final = asked.assignment.arm is not Arm.CANDIDATE or model is not asked.assignment.models[0]
            if is_last or (outcome is Outcome.REJECTED and no_is_final):
                return answer
            answer.close()
            if outcome is Outcome.REJECTED:
                record.why_failed = f"{model.name}: refused the request with status {answer.status}"
                log.info("candidate refused a request", agent=record.agent, model=model.name, status=answer.status)
            return None
        except Refusal as refusal:
            if refusal.outcome is Outcome.ERROR:
                self.failed(model, record, str(refusal))
                settled = True
            if is_last:
                raise
            return None
        finally:
            if not settled:
                self._breaker.undecided(model.name)

    def failed(self, model: Model, record: Record, what: str, provider_id: str | None = None) -> None:
        """Note a failure of a model."""
        record.why_failed = record.why_failed or f"{model.name}: {what}"  # the first is what the others made good
        self._breaker.failed(model.name, self._agents[record.agent].breaker)
        self._metrics.count_model_failure(model.name)
        named = {} if provider_id is None else {"provider_request_id": provider_id}
        log.warning("model failed", agent=record.agent, arm=record.arm, model=model.name, what=what, **named)

    async def _call(self, model: Model, asked: Asked, limit: asyncio.Timeout, *, reached: bool) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with limit:
                if not reached:
                    await self._rates.reach(model, asked.chat.agent)
                return await self._upstream.call(model, asked.chat, asked.scope)
        except TimeoutError as error:
            raise ProviderTooSlow(model.provider.name, round(loop.time() - began, 1)) from error


def left_alone(model: Model) -> str:
    """Say why a model was not asked."""
    return f"{model.name}: left alone, as it kept failing"


def time_for_one(ends: float, *, is_last: bool) -> asyncio.Timeout:
    """Return the limit of an attempt that begins now, of a request whose time `ends` by the loop's clock."""
    left = max(0.0, ends - asyncio.get_running_loop().time())
    return asyncio.timeout(left if is_last else left * _SHARE_OF_ONE_ATTEMPT)
