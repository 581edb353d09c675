"""The registry's limits as numbers under names, which the gateway shows as series: so one alert rule serves any agent.

What most agents have is said once, and of an agent only what differs: with a thousand agents the whole would not fit
into a ConfigMap. docs/metrics.md says what each name means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sluice.registry import Agent, Budgets, Gates, Limits, Registry


def thresholds(registry: Registry) -> dict[str, object]:
    """Render the thresholds of the agents, and those of what all of them together may cost."""
    limits = Counter(agent.policy.limits for agent in registry.agents.values())
    usual = _of_limits(limits.most_common(1)[0][0]) if limits else {}
    differing = {name: _differing(_of_agent(agent), usual) for name, agent in registry.agents.items()}
    return {
        "usual": usual,
        "agents": {name: values for name, values in differing.items() if values},
        "budgets": {**_of_budgets(registry.budgets), **_of_gates(registry.gates)},
    }


def _of_agent(agent: Agent) -> dict[str, float]:
    below = agent.policy.safeguards.hand_over_below
    return {**_of_limits(agent.policy.limits), **({} if below is None else {"hand_over_below": below})}


def _of_limits(limits: Limits) -> dict[str, float]:
    quality, drop, errors = limits.quality, limits.quality_drop, limits.error_rate
    latency, cost = limits.latency, limits.request_cost
    return {
        "quality_least": quality.least,
        "quality_spread_percent": quality.spread_percent,
        "quality_drop_warning_percent": drop.warning_percent,
        "quality_drop_critical_percent": drop.critical_percent,
        "quality_drop_rollback_percent": drop.rollback_percent,
        "quality_drop_canary_percent": drop.canary_percent,
        "error_rate_goal_percent": errors.goal_percent,
        "error_rate_critical_percent": errors.critical_percent,
        "error_rate_rollback_percent": errors.rollback_percent,
        "error_rate_canary_percent": errors.canary_percent,
        "p95_goal_seconds": latency.p95_goal.total_seconds(),
        "p95_warning_seconds": latency.p95_warning.total_seconds(),
        "p95_rollback_seconds": latency.p95_rollback.total_seconds(),
        "p99_goal_seconds": latency.p99_goal.total_seconds(),
        "request_cost_goal_dollars": cost.goal_dollars,
        "request_cost_saving_percent": cost.saving_percent,
    }


def _of_budgets(budgets: Budgets) -> dict[str, float]:
    return {
        "spend_day_warning_dollars": budgets.day.warning_dollars,
        "spend_day_times_estimate": budgets.day.times_estimate,
        "spend_month_budget_dollars": budgets.month.budget_dollars,
        "spend_month_cap_dollars": budgets.month.cap_dollars,
        "spend_month_requests": budgets.month.requests,
    }


def _of_gates(gates: Gates) -> dict[str, float]:
    specificity = gates.next_iteration.specificity
    return {
        "quality_mean_least": gates.benchmark.mean,
        **({} if specificity is None else {"specificity_wanted": specificity}),
    }


def _differing(values: Mapping[str, float], usual: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if usual.get(name) != value}
