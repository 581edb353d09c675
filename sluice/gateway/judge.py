"""Asks a model for its opinion of some answers, long after they were given.

A judge's points have a metric of their own. Gates, the guard and reports compare arms by the built-in scorer alone: a
judge that is away, or has spent its budget by noon, would otherwise change what a mean is made of in the middle of a
rollout. Whatever fails here is counted and forgotten.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from enum import StrEnum

import orjson
from prometheus_client import CollectorRegistry, Counter, Histogram

from sluice.gateway import log
from sluice.gateway.after_metrics import SCORE_BUCKETS
from sluice.gateway.aftercare import JudgeRule
from sluice.gateway.chat_request import parse_chat_request
from sluice.gateway.configuration import Configuration, Model
from sluice.gateway.keeping import Served, redacted
from sluice.gateway.off_path import OffPath
from sluice.gateway.outcome import Arm
from sluice.gateway.rates import Rates
from sluice.gateway.refusals import ProviderTooSlow, Refusal
from sluice.gateway.scoring.rubric import MOST_TOKENS, VerdictUnusable, judging_request, read_verdict
from sluice.gateway.scoring.scores import Dimension, Scores
from sluice.gateway.spend import Spend
from sluice.gateway.upstream import Upstream
from sluice.gateway.usage import Usage, usage_in

PATIENCE_SECONDS = 20.0
_SCOPE = {"headers": [(b"content-type", b"application/json")]}
_CHARACTERS_PER_TOKEN = 3
"""Fewer than most texts have, so that what a judge did not say it used is not counted too low."""


class Result(StrEnum):
    """What came of one answer that was drawn for the judge."""

    SCORED = "scored"
    FAILED = "failed"
    OVER_BUDGET = "over_budget"
    OWN_CANDIDATE = "own_candidate"


class Judge:
    """The judges of all agents that have one. `replicas` is how many share a budget when the store is away."""

    def __init__(
        self,
        configuration: Configuration,
        upstream: Upstream,
        rates: Rates,
        spend: Spend,
        off_path: OffPath,
        registry: CollectorRegistry,
        *,
        replicas: int,
    ) -> None:
        self._models = configuration.models
        self._rules = {
            agent.name: agent.aftercare.judge for agent in configuration.agents.values() if agent.aftercare.judge
        }
        self._upstream = upstream
        self._rates = rates
        self._spend = spend
        self._off_path = off_path
        self._replicas = replicas
        self._score = Histogram(
            "sluice_judge_score",
            "Points of 10 that answers got from the model that judges them.",
            ["agent", "arm", "dimension"],
            buckets=SCORE_BUCKETS,
            registry=registry,
        )
        self._answers = Counter(
            "sluice_judge_answers",
            "Answers that were drawn for the judge, by what came of it.",
            ["agent", "result"],
            registry=registry,
        )
        for agent in self._rules:
            for result in Result:
                self._answers.labels(agent, result)
            for arm in (Arm.CANDIDATE, Arm.BASELINE):
                for dimension in Dimension:
                    self._score.labels(agent, arm, dimension)

    async def look_at(self, served: Served, candidate: str | None) -> None:
        """Have an answer judged and count the points; `candidate` is the agent's, which is no judge of itself."""
        rule = self._rules[served.agent]
        self._answers.labels(served.agent, await self._judged(served, rule, candidate)).inc()

    async def _judged(self, served: Served, rule: JudgeRule, candidate: str | None) -> Result:
        model = self._models[rule.model]
        if model.name == candidate:
            return Result.OWN_CANDIDATE
        if not self._affordable(served.agent, rule, model):
            return Result.OVER_BUDGET
        body = judging_request(
            await redacted(served.question, self._off_path), await redacted(served.answer, self._off_path)
        )
        try:
            scores = await self._ask(served.agent, model, body)
        except (Refusal, VerdictUnusable, TimeoutError) as error:
            log.info("judge failed", agent=served.agent, model=model.name, what=str(error) or "no verdict in time")
            return Result.FAILED
        for dimension, points in scores.items():
            self._score.labels(served.agent, served.arm, dimension).observe(points)
        return Result.SCORED

    def _affordable(self, agent: str, rule: JudgeRule, model: Model) -> bool:
        """Whether the day's budget is not spent; while replicas cannot tell each other, each has its part of it."""
        if model.fine_tuned and self._spend.capped:
            return False
        budget = rule.budget_dollars_per_day / (1 if self._spend.shared else self._replicas)
        return self._spend.judged_today(agent) < budget

    async def _ask(self, agent: str, model: Model, body: bytes) -> Scores:
        """Return the judge's verdict, and count what it cost: also where it is no use, or did not come in time.

        Raises Refusal, VerdictUnusable or TimeoutError.
        """
        chat = parse_chat_request(body)
        guessed = Usage(len(body) // _CHARACTERS_PER_TOKEN, MOST_TOKENS)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._rates.reach(model, agent)
                with closing(await self._upstream.call(model, chat, _SCOPE)) as answer:
                    status, said = answer.status, answer.body or b""
        except (TimeoutError, ProviderTooSlow):
            self._pay(agent, model, guessed)
            raise
        if status >= 300:
            raise VerdictUnusable(f"its status is {status}")
        document = _parsed(said)
        self._pay(agent, model, usage_in(document) or guessed)
        return read_verdict(document)

    def _pay(self, agent: str, model: Model, usage: Usage) -> None:
        self._spend.add(agent, model, usage.dollars(model), judging=True)


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
