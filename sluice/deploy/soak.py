"""Asks every agent of an environment its queries, at a pace that providers allow, and scores the candidates' answers.

The scorer is the gateway's own. What was asked is written down before the next is asked, so a soak that was killed goes
on; the environment's users, if it has any, are left alone but for the exercise, which comes last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from sluice.deploy.ask import NoReply, Reply
from sluice.deploy.soak_record import SoakRecord
from sluice.errors import AnswerIsNo, SluiceError
from sluice.gateway.scoring.features import Expects
from sluice.gateway.scoring.scorer import score
from sluice.registry import Environment
from sluice.registry.policy import is_production
from sluice.registry.soak_contents import digest_of_queries, read_queries
from sluice.rollout.soak import Answered

_TOO_MANY = 429
_ATTEMPTS = 6
_USERS = 5
"""Users on the candidate that are asked as, where not everybody is on it."""

_TRIED = 200

Asks = Callable[[str, str, str], Reply]
"""Asks an agent a text as a user. Raises NoReply, and other errors of sluice where no gateway could be asked."""


class CannotSoak(SluiceError):
    """There is nothing to soak here, or not here."""

    exit_code: ClassVar[int] = 2


class BudgetSpent(AnswerIsNo):
    """The answers so far cost as much as the soak may."""

    def __init__(self, spent: float, budget: float, left: int) -> None:
        super().__init__(
            f"${spent:.4f} of the soak's ${budget:g} is spent, and {left} queries are left; "
            "the same command with a greater --budget goes on"
        )


@dataclass(frozen=True, slots=True)
class SoakTime:
    """What time it is, and how to let it pass; tests bring their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """What is asked: by agent the queries, the candidate, and so many seconds from one query to the next.

    `digests` are those of each agent's whole file, as the rule on stale soaks has them (SL046), however many of its
    queries are asked.
    """

    queries: Mapping[str, tuple[str, ...]]
    digests: Mapping[str, str]
    candidates: Mapping[str, str]
    slot_seconds: float

    @property
    def total(self) -> int:
        """How many queries there are."""
        return sum(map(len, self.queries.values()))

    def left(self, record: SoakRecord) -> Iterator[tuple[str, int, str]]:
        """Yield agent, number and text of what was not asked yet, the agents in turn."""
        for number in range(max(map(len, self.queries.values()), default=0)):
            for agent, texts in self.queries.items():
                if number < len(texts) and (agent, number) not in record.answers:
                    yield agent, number, texts[number]


def plan_soak(declared: Environment, folder: Path, agents: tuple[str, ...], lasts: timedelta, most: int) -> SoakPlan:
    """Plan a soak of some agents, all that have users on a candidate where none is named. Raises CannotSoak.

    `folder` is the registry's. At most so many queries are asked of each.
    """
    rollout = declared.rollout
    if is_production(rollout.environment):
        raise CannotSoak(f"{rollout.environment} has users: a soak is for staging")
    serving = [
        name for name in rollout.agents if rollout.wanted_weight_percent(name) and rollout.agents[name].candidate
    ]
    unfit = [name for name in agents if name not in serving]
    if unfit or not serving:
        whom = ", ".join(unfit) or "no agent"
        raise CannotSoak(f"{rollout.environment}: {whom}: no users are on a candidate; see `sluice status`")
    queries, digests = {}, {}
    for agent in agents or serving:
        file = folder / "queries" / f"{agent}.txt"
        try:
            found = read_queries(file)
        except (OSError, UnicodeDecodeError) as error:
            raise CannotSoak(f"{file}: cannot be read ({error}); write {agent}'s queries there, one a line") from None
        if not found:
            raise CannotSoak(f"{file}: has no query; write {agent}'s queries there, one a line")
        queries[agent], digests[agent] = found[:most], digest_of_queries(found)
    candidates = {agent: str(rollout.agents[agent].candidate) for agent in queries}
    total = sum(map(len, queries.values()))
    spread = lasts.total_seconds() / max(1, total - 1)
    return SoakPlan(queries, digests, candidates, max(spread, _pace(declared, candidates)))


def _pace(declared: Environment, candidates: Mapping[str, str]) -> float:
    """Return the seconds between queries that keep every provider's and every agent's rate."""
    registry = declared.registry
    seconds = [0.0]
    for agent, candidate in candidates.items():
        model = registry.models[candidate]
        for allowed in (model.requests_per_second, registry.providers[model.provider].requests_per_second):
            seconds += [1 / allowed] if allowed else []
        rate = registry.agents[agent].policy.rate
        seconds += [1 / rate.requests_per_second / len(candidates)] if rate else []
    return max(seconds)


@dataclass(slots=True)
class Soaking:
    """One soak that runs. `on_answer` hears of every answer."""

    declared: Environment
    plan: SoakPlan
    record: SoakRecord
    ask: Asks
    budget_dollars: float
    on_answer: Callable[[Answered], None] = lambda _: None
    time: SoakTime = SoakTime()
    _users: dict[str, list[str]] = field(default_factory=dict)
    _tried: int = 0

    def run(self) -> None:
        """Ask what is left. Raises BudgetSpent, and what asking does where the gateway is away."""
        left = list(self.plan.left(self.record))
        for position, (agent, number, text) in enumerate(left):
            if self.record.cost_dollars >= self.budget_dollars:
                raise BudgetSpent(self.record.cost_dollars, self.budget_dollars, len(left) - position)
            self._wait()
            answer = self._answer(agent, number, text)
            self.record.add(answer)
            self.on_answer(answer)

    def _wait(self) -> None:
        last = self.record.last
        if last is not None:
            due = last + timedelta(seconds=self.plan.slot_seconds)
            self.time.sleep(max(0.0, (due - self.time.now()).total_seconds()))

    def _answer(self, agent: str, number: int, text: str) -> Answered:
        at, cost = self.time.now(), 0.0
        for attempt in range(_TRIED):
            user = self._user(agent, number, attempt)
            try:
                reply = self._asked(agent, text, user)
            except NoReply as error:
                return Answered(agent, number, at, 0.0, None, cost, str(error)[:300])
            cost += reply.cost_dollars or 0.0
            if reply.arm == "baseline":
                continue  # drawn for the other arm
            self._users.setdefault(agent, []).append(user)
            if reply.model != self.plan.candidates[agent]:
                return Answered(agent, number, at, 0.0, None, cost, f"{reply.model} answered in the candidate's place")
            return Answered(agent, number, at, reply.latency_ms / 1000, self._points(agent, text, reply.answer), cost)
        raise CannotSoak(f"{agent}: none of {_TRIED} users is on the candidate; is an override active? `sluice status`")

    def _user(self, agent: str, number: int, attempt: int) -> str:
        found = self._users.get(agent, [])
        if attempt == 0 and len(found) >= _USERS:
            return found[number % len(found)]
        self._tried += 1
        return f"soak-{self._tried}"

    def _asked(self, agent: str, text: str, user: str) -> Reply:
        """Ask, and ask again where there were too many requests: that is the pace's fault and not the candidate's."""
        for attempt in range(_ATTEMPTS):
            try:
                return self.ask(agent, text, user)
            except NoReply as error:
                if error.status != _TOO_MANY or attempt == _ATTEMPTS - 1:
                    raise
            self.time.sleep(2.0 * (attempt + 1))
        raise AssertionError

    def _points(self, agent: str, question: str, answer: str) -> float:
        policy = self.declared.registry.agents[agent].policy
        expects = Expects(policy.scoring.expects)
        empathetic = policy.safeguards.tone == "empathetic"
        return round(score(question, answer, expects=expects, empathetic=empathetic).overall, 3)
