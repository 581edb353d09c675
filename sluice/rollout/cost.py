"""What an environment costs: a month by forecast, at the weights it has and at every step to come, against its budgets.

The forecast is traffic, tokens and prices of the registry; what was really spent comes from whoever asks the metrics
(`Actual`). The budgets are for fine-tuned models; what the baselines cost is shown beside them.
"""

from __future__ import annotations

import calendar
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from sluice.registry import Registry, Rollout
from sluice.registry.forecast import forecast
from sluice.registry.policy import LADDER


@dataclass(frozen=True, slots=True)
class AgentCost:
    """A month of one agent, in dollars; a request to each arm, and how much the candidate saves of it."""

    agent: str
    weight_percent: int
    requests: int
    fine_tuned_dollars: float
    other_dollars: float
    candidate_request_dollars: float | None
    baseline_request_dollars: float

    @property
    def saving_percent(self) -> float | None:
        """How much less a request to the candidate costs; None without a candidate or where the baseline is free."""
        if self.candidate_request_dollars is None or not self.baseline_request_dollars:
            return None
        return 100 * (1 - self.candidate_request_dollars / self.baseline_request_dollars)


@dataclass(frozen=True, slots=True)
class StepCost:
    """A month with every candidate at one weight, in dollars."""

    weight_percent: int
    fine_tuned_dollars: float
    other_dollars: float


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """What training cost of its budget; `passed_percent` are the marks behind, `next_percent` the one ahead."""

    budget_dollars: float
    spent_dollars: float
    passed_percent: tuple[float, ...]
    next_percent: float | None

    @property
    def left_dollars(self) -> float:
        """What is left, less than 0 where more was spent."""
        return self.budget_dollars - self.spent_dollars


@dataclass(frozen=True, slots=True)
class Actual:
    """What was measured this month: dollars of fine-tuned models and of all, up to the moment `at`, in UTC.

    `agents` has those of each agent in the same order; `requests` are those that were not refused, None where nobody
    counted them.
    """

    at: datetime
    fine_tuned_dollars: float
    all_dollars: float
    agents: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    requests: int | None = None

    @property
    def month_at_this_pace_dollars(self) -> float:
        """What fine-tuned models will have cost by the end of the month if it goes on as it has.

        As the dashboard of cost draws it: by the time that has passed, and in the first day by a whole one, because the
        pace of a few minutes would say nothing of thirty days.
        """
        began = self.at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        elapsed_days = max(1.0, (self.at - began) / timedelta(days=1))
        return self.fine_tuned_dollars * calendar.monthrange(self.at.year, self.at.month)[1] / elapsed_days


@dataclass(frozen=True, slots=True)
class EnvironmentCost:
    """An environment's month: by agent, by step, against budget and cap, and what training has taken."""

    environment: str
    agents: tuple[AgentCost, ...]
    agents_without_traffic: tuple[str, ...]
    steps: tuple[StepCost, ...]
    budget_dollars: float
    cap_dollars: float
    budget_requests: int
    training: TrainingCost
    actual: Actual | None = None

    @property
    def fine_tuned_dollars(self) -> float:
        """The forecast of what the cap counts."""
        return sum(one.fine_tuned_dollars for one in self.agents)

    @property
    def is_under_the_cap(self) -> bool:
        """Whether the forecast at today's weights is, and what was spent so far."""
        spent = self.actual.fine_tuned_dollars if self.actual else 0.0
        return max(self.fine_tuned_dollars, spent) <= self.cap_dollars


def cost_of(registry: Registry, rollout: Rollout, actual: Actual | None = None) -> EnvironmentCost:
    """Work out what an environment costs."""
    agents = tuple(
        AgentCost(
            one.agent,
            rollout.wanted_weight_percent(one.agent),
            traffic.requests_per_month,
            one.fine_tuned_dollars,
            one.other_dollars,
            one.candidate_request_dollars,
            one.baseline_request_dollars,
        )
        for one in forecast(registry, rollout)
        if (traffic := registry.agents[one.agent].policy.traffic)
    )
    known = {one.agent for one in agents}
    month = registry.budgets.month
    return EnvironmentCost(
        rollout.environment,
        agents,
        tuple(agent for agent in rollout.agents if agent not in known),
        tuple(_at(registry, rollout, weight) for weight in (0, *LADDER)),
        month.budget_dollars,
        month.cap_dollars,
        month.requests,
        training_of(registry),
        actual,
    )


def training_of(registry: Registry) -> TrainingCost:
    """Work out what training has taken; the models' own costs count where they are more than what was written down."""
    budget = registry.budgets.training
    costs = sum(model.training.cost_dollars for model in registry.models.values() if model.training)
    spent = max(budget.spent_dollars, round(costs, 2))
    percent = 100 * spent / budget.budget_dollars if budget.budget_dollars else 100.0
    marks = sorted(budget.warn_at_percent)
    passed = tuple(mark for mark in marks if percent >= mark)
    return TrainingCost(budget.budget_dollars, spent, passed, next((mark for mark in marks if percent < mark), None))


def _at(registry: Registry, rollout: Rollout, weight_percent: int) -> StepCost:
    agents = {
        name: dataclasses.replace(agent, weight_percent=weight_percent) if agent.candidate else agent
        for name, agent in rollout.agents.items()
    }
    month = forecast(registry, dataclasses.replace(rollout, enabled=True, agents=MappingProxyType(agents)))
    return StepCost(
        weight_percent, sum(one.fine_tuned_dollars for one in month), sum(one.other_dollars for one in month)
    )
