"""The gateway's configuration: every agent, model and provider, in a ConfigMap named by its content, or in several.

It is read once at start; a change is a new name, and so restarts the pods. Whatever a rollout changes stands in the
flags instead, which are read while running.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import LITELLM_KEY, Agent, Provider, Registry, Settings
from sluice.registry.model import Dialect, StreamUsage
from sluice.render import litellm
from sluice.render.dealt_out import configuration_maps, dealt_out
from sluice.render.gateway_limits import agent_limits, allowed, budgets, caller_limits
from sluice.render.kubernetes_object import KubernetesObject, labels
from sluice.render.thresholds import thresholds

NAME_PREFIX = "gateway-config"

_SHARED = ("agents", "models")
"""What is dealt out where one ConfigMap does not hold it: all that grows with agents and models but their limits."""


def gateway_configuration(registry: Registry, settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render the configuration; an address in the settings stands in place of the registry's.

    The first object holds `gateway.json`, the others, where there are any, `gateway-1.json` and so on.
    """
    texts = dealt_out(_content(registry, settings), _SHARED)
    named = labels("gateway", component="configuration")
    return configuration_maps(NAME_PREFIX, "gateway", texts, settings.namespace, named)


def _content(registry: Registry, settings: Settings) -> dict[str, Any]:
    behind_litellm = settings.litellm.providers if settings.litellm else {}
    return {
        "version": 1,
        "environment": settings.environment,
        "assignment": {
            "hash": registry.assignment.hash,
            "salt": registry.assignment.salt,
            "key": registry.assignment.key,
        },
        "callers": str(settings.gateway.callers),
        "agents": {
            name: {**_agent(agent, registry), **agent_limits(agent, settings.gateway.limits)}
            for name, agent in registry.agents.items()
        },
        "models": {
            name: {
                "provider": model.provider,
                # LiteLLM knows a model by its name here: two providers may call theirs the same.
                "id": name if model.provider in behind_litellm else model.id,
                "price": {"input": model.price.input_per_1k_tokens, "output": model.price.output_per_1k_tokens},
                "fine_tuned": model.fine_tuned,
                **({} if model.benchmark is None else {"benchmark": model.benchmark.score}),
                **allowed(model),
            }
            for name, model in registry.models.items()
        },
        "providers": {name: _provider(name, provider, settings) for name, provider in registry.providers.items()},
        "limits": caller_limits(settings.gateway.limits),
        "budgets": budgets(registry.budgets),
        "thresholds": thresholds(registry),
    }


def _provider(name: str, provider: Provider, settings: Settings) -> dict[str, Any]:
    """Render where a provider is asked, by which key and in which dialect: its own, or that of LiteLLM before it."""
    if settings.litellm is not None and name in settings.litellm.providers:
        address, key, dialect, usage = litellm.URL, LITELLM_KEY, Dialect.OPENAI, StreamUsage.ON_REQUEST
    else:
        address = settings.provider_addresses.get(name, provider.api)
        key, dialect, usage = provider.key, provider.dialect, provider.stream_usage
    return {
        "api": address,
        "key": key,
        **allowed(provider),
        "dialect": dialect.value,
        "stream_usage": usage.value,
    }


def _agent(agent: Agent, registry: Registry) -> dict[str, Any]:
    """Render what the gateway knows of an agent; durations are in seconds."""
    policy = agent.policy
    scoring, safeguards = policy.scoring, policy.safeguards
    rendered: dict[str, Any] = {
        "summary": agent.summary,
        "breaker": {"failures": policy.breaker.failures, "open": int(policy.breaker.open.total_seconds())},
        "deadline": int(policy.deadline.total_seconds()),
        "scoring": {"share": scoring.share, "per_second": scoring.per_second, "expects": scoring.expects},
        "failed_queries": registry.rollback.failed_queries,
        "worst_queries": registry.report.worst_queries,
        "screen": str(safeguards.screen),
    }
    if policy.hedge_after:
        rendered["hedge_after"] = int(policy.hedge_after.total_seconds())
    if policy.traffic is not None:
        rendered["traffic"] = {
            "requests_per_month": policy.traffic.requests_per_month,
            "input_tokens": policy.traffic.input_tokens,
            "output_tokens": policy.traffic.output_tokens,
        }
    if scoring.judge is not None:
        judge = scoring.judge
        rendered["scoring"]["judge"] = {
            "model": judge.model,
            "share": judge.share,
            "budget_per_day": judge.budget_dollars,
        }
    if safeguards.review is not None:
        review = safeguards.review
        wanted = {"first_outputs": review.first_outputs} if review.days is None else {"days": review.days}
        rendered["review"] = {"by": review.by, **wanted}
    if safeguards.hand_over_below is not None:
        rendered["hand_over_below"] = safeguards.hand_over_below
    if safeguards.watermark is not None:
        rendered["watermark"] = safeguards.watermark
    if safeguards.tone is not None:
        rendered["tone"] = safeguards.tone
    return rendered
