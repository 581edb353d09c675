"""Asks the next model beside one that is slow to begin its answer, where an agent has `hedge_after`.

Of the two, whichever has an answer first is the caller's; the other is cancelled and its connection closed, so that its
provider stops. Nobody is asked beside another once an agent's budget of hedges is used up (`hedge_budget.py`), or where
the provider has no room at that moment: who has somebody at work already must not take another's turn. Then all is as
without hedging. Both arms are hedged alike and out of one budget, so that they can be compared.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter

from sluice.gateway import log
from sluice.gateway.attempt import Asked, Attempts, time_for_one
from sluice.gateway.breaker import Breaker
from sluice.gateway.configuration import Agent, Model
from sluice.gateway.hedge_budget import HedgeBudget
from sluice.gateway.outcome import Arm, Outcome, outcome_of_status
from sluice.gateway.rates import Rates
from sluice.gateway.refusals import Refusal
from sluice.gateway.upstream import Answer

Asking = asyncio.Task[Answer | None]


class Result(StrEnum):
    """What became of a request whose model was slow; a label of `sluice_hedges_total`."""

    WON = "won"
    """The next model was asked beside it, and the answer is that one's."""
    LOST = "lost"
    """The next model was asked beside it, in vain."""
    OVER_BUDGET = "over_budget"
    PROVIDER_BUSY = "provider_busy"


@dataclass(slots=True)
class _Hedge:
    """The model to be asked beside another; `is_asked` once its provider has room."""

    model: Model
    is_last: bool
    is_asked: bool = False


@dataclass(slots=True)
class _Request:
    """A request under way: the models that wait for their turn, and what kept it from being hedged so far."""

    asked: Asked
    waiting: deque[Model]
    after_seconds: float
    ends: float
    kept_by: set[Result] = field(default_factory=set)


class Hedging:
    """Hedges the requests of one gateway."""

    def __init__(
        self,
        agents: Mapping[str, Agent],
        attempts: Attempts,
        breaker: Breaker,
        rates: Rates,
        registry: CollectorRegistry,
    ) -> None:
        self._attempts = attempts
        self._breaker = breaker
        self._rates = rates
        self._budgets = {name: HedgeBudget() for name, agent in agents.items() if agent.hedge_after_seconds is not None}
        self._stopping: set[Asking] = set()
        self._hedges = Counter(
            "sluice_hedges",
            "Requests whose model was slow, by what became of asking the next one beside it.",
            ["agent", "arm", "result"],
            registry=registry,
        )
        for name in self._budgets:
            for arm in (Arm.CANDIDATE, Arm.BASELINE):
                for result in Result:
                    self._hedges.labels(name, arm, result)

    async def ask(self, asked: Asked, models: Sequence[Model], after_seconds: float, ends: float) -> Answer:
        """Give the answer of the first of `models` that has one, else the last one's error, or raise its refusal.

        One that has not begun to answer after `after_seconds` has the next asked beside it. `ends` is when the
        request's time is over, by the loop's clock.
        """
        self._budgets[asked.chat.agent].earn()
        request = _Request(asked, deque(models), after_seconds, ends)
        while True:
            model = request.waiting.popleft()
            asked.is_given_to(model)
            if not request.waiting:
                limit = time_for_one(ends, is_last=True)
                answer = await self._attempts.ask(model, asked, limit, is_last=True)
            else:
                answer = await self._ask_two(model, request)
            if answer is not None:
                return answer

    async def _ask_two(self, model: Model, request: _Request) -> Answer | None:
        """Ask a model, and where it is slow one of those waiting; None where the next of these should be asked."""
        asked = request.asked
        why_before = asked.record.why_failed
        limit = time_for_one(request.ends, is_last=False)
        first = asyncio.create_task(self._attempts.ask(model, asked, limit, is_last=False))
        hedge: _Hedge | None = None
        beside = decisive = None
        try:
            await asyncio.wait([first], timeout=request.after_seconds)
            if not first.done():
                hedge = self._hedge(request)
            if hedge is not None:
                beside = asyncio.create_task(self._ask_beside(hedge, request, limit))
            decisive = await _decisive(first, beside)
            if decisive is first and first.result() is not None:
                asked.record.why_failed = why_before  # not what a hedge did wrong
            elif hedge is not None and hedge.is_asked:
                asked.is_given_to(hedge.model)
                slow = f"{model.name}: no answer within {request.after_seconds:g} seconds"
                asked.record.why_failed = asked.record.why_failed or slow
            return decisive.result()
        finally:
            for task in (first, beside):
                if task is not None and task is not decisive:
                    self._stop(task)
            if hedge is not None:
                self._settle(hedge, asked, won=beside is not None and decisive is beside and _has_answer(beside))

    def _hedge(self, request: _Request) -> _Hedge | None:
        """Return the next of those waiting that may be asked; None where there is none, or no budget."""
        model = next((model for model in request.waiting if self._breaker.admits(model.name)), None)
        if model is None:
            return None
        if not self._budgets[request.asked.chat.agent].take():
            self._is_kept_by(Result.OVER_BUDGET, request)
            return None
        return _Hedge(model, is_last=len(request.waiting) == 1)

    async def _ask_beside(self, hedge: _Hedge, request: _Request, limit_of_first: asyncio.Timeout) -> Answer | None:
        """Ask the hedge's model; None where the next should be asked, or where it keeps its turn and was not asked."""
        if not await self._rates.reach_now(hedge.model):
            self._is_kept_by(Result.PROVIDER_BUSY, request)
            return None
        if not self._breaker.admits(hedge.model.name):
            return None  # another request has begun to try it in the meantime
        request.waiting.remove(hedge.model)
        hedge.is_asked = True
        if hedge.is_last:
            with suppress(RuntimeError):  # its time is over already
                limit_of_first.reschedule(request.ends)  # nobody stands behind it any more
        limit = time_for_one(request.ends, is_last=hedge.is_last)
        return await self._attempts.ask(hedge.model, request.asked, limit, is_last=hedge.is_last, reached=True)

    def _settle(self, hedge: _Hedge, asked: Asked, *, won: bool) -> None:
        if not hedge.is_asked:
            self._budgets[asked.chat.agent].give_back()
            return
        self._count(asked, Result.WON if won else Result.LOST)
        if won:
            log.info("hedge won", agent=asked.record.agent, arm=asked.record.arm, model=hedge.model.name)

    def _is_kept_by(self, result: Result, request: _Request) -> None:
        """Count what kept a request from being hedged; once, however many of its models are slow."""
        if result not in request.kept_by:
            request.kept_by.add(result)
            self._count(request.asked, result)

    def _count(self, asked: Asked, result: Result) -> None:
        self._hedges.labels(asked.record.agent, asked.record.arm, result).inc()

    def _stop(self, task: Asking) -> None:
        """End what a model does for a request that needs it no more; without waiting, so that nothing gets lost."""
        self._stopping.add(task)
        task.add_done_callback(self._stopped)
        task.cancel()

    def _stopped(self, task: Asking) -> None:
        self._stopping.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            answer = task.result()
            if answer is not None:  # it came in the same moment
                answer.close()
                self._breaker.undecided(answer.model.name)
        elif not isinstance(error, Refusal):
            log.error("hedge failed", exception=error)


async def _decisive(first: Asking, beside: Asking | None) -> Asking:
    """Return the one whose end is the request's: the first that has an answer, else what is asked beside it.

    A no of the later one is final only where the first has none: it may take what the later one does not.
    """
    if beside is None:
        await asyncio.wait([first])
        return first
    await asyncio.wait([first, beside], return_when=asyncio.FIRST_COMPLETED)
    if not first.done():
        if _has_answer(beside):
            return beside
        await asyncio.wait([first])
    if first.result() is not None:
        return first
    await asyncio.wait([beside])
    return beside


def _has_answer(task: Asking) -> bool:
    """Return whether a model that has ended gave what was asked for."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return False
    answer = task.result()
    return answer is not None and outcome_of_status(answer.status) is Outcome.OK
