"""The limits in the gateway's configuration: rates, requests at once, how long answers are kept, what may be spent."""

from __future__ import annotations

from typing import Any

from sluice.registry import Agent, Budgets, CallerLimits, Model, Provider, Rate


def agent_limits(agent: Agent, limits: CallerLimits) -> dict[str, Any]:
    """Render an agent's cache and rate; the rate only where the environment holds agents to theirs."""
    cache = agent.policy.cache
    rate = agent.policy.rate if limits.agent_rates else None
    return {
        "cache": {"keep": cache.keep.total_seconds(), "across_users": cache.across_users},
        **({} if rate is None else {"rate": _rate(rate)}),
    }


def allowed(of: Provider | Model) -> dict[str, int]:
    """Render how often a provider allows to be asked, in all or for one model."""
    return {} if of.requests_per_second is None else {"requests_per_second": of.requests_per_second}


def caller_limits(limits: CallerLimits) -> dict[str, Any]:
    """Render how much of its callers the gateway takes."""
    return {
        "at_once": limits.at_once,
        "waiting": limits.waiting,
        "callers": {team: _rate(rate) for team, rate in limits.callers.items()},
        **({} if limits.caller is None else {"caller": _rate(limits.caller)}),
    }


def budgets(of: Budgets) -> dict[str, Any]:
    """Render what fine-tuned models may cost."""
    month = of.month
    return {
        "day": {"warning": of.day.warning_dollars},
        "month": {"budget": month.budget_dollars, "cap": month.cap_dollars, "at_cap": month.at_cap},
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {"requests_per_second": rate.requests_per_second, "burst": rate.most_at_once}
