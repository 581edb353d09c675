"""What a month costs by the traffic that is expected: requests, tokens and prices, and nothing that was measured."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.registry.model import AgentRollout, Registry, Rollout


@dataclass(frozen=True, slots=True)
class AgentForecast:
    """What one agent costs a month, in dollars: its fine-tuned models, and the others; and a request to each arm."""

    agent: str
    fine_tuned_dollars: float
    other_dollars: float
    candidate_request_dollars: float | None
    baseline_request_dollars: float


def forecast(registry: Registry, rollout: Rollout) -> tuple[AgentForecast, ...]:
    """Forecast a month of every agent that says what traffic it expects and whose models are sound."""
    found = (
        _of_agent(registry, agent, rollout.wanted_weight_percent(agent.agent)) for agent in rollout.agents.values()
    )
    return tuple(one for one in found if one is not None)


def _of_agent(registry: Registry, agent: AgentRollout, weight_percent: int) -> AgentForecast | None:
    traffic = registry.agents[agent.agent].policy.traffic
    baseline = registry.models.get(agent.baseline[0])
    candidate = registry.models.get(agent.candidate) if agent.candidate else None
    if traffic is None or baseline is None or (agent.candidate and candidate is None):
        return None
    tokens = (traffic.input_tokens, traffic.output_tokens)
    of_candidate = candidate.price.of_request(*tokens) if candidate else None
    of_baseline = baseline.price.of_request(*tokens)
    shares = [(candidate, of_candidate or 0.0, weight_percent), (baseline, of_baseline, 100 - weight_percent)]
    spend = {True: 0.0, False: 0.0}
    for model, dollars, percent in shares:
        spend[bool(model and model.fine_tuned)] += traffic.requests_per_month * percent / 100 * dollars
    return AgentForecast(agent.agent, spend[True], spend[False], of_candidate, of_baseline)
