"""What was really spent this month, asked of Prometheus: the gateway's own sums, which count as its cap does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sluice.rollout.cost import Actual
from sluice.rollout.guard.matchers import matchers
from sluice.rollout.guard.prometheus import Prometheus

_ALL = "all"
_FINE_TUNED = "fine_tuned"
_SPEND = "sluice_spend_dollars"


def month_spend(prometheus: Prometheus, match: str, now: datetime) -> float | None:
    """Return what fine-tuned models cost this UTC month, in dollars; None where nobody says. Raises CannotSee.

    `match` narrows the query down to one environment, as `namespace="x"`.
    """
    of_all = matchers(match, agent=_ALL, window="month", models=_FINE_TUNED)
    found = prometheus.now(f"max({_SPEND}{of_all})", now)
    return found[0][1] if found else None


def actual_of(prometheus: Prometheus, match: str, now: datetime) -> Actual | None:
    """Return this UTC month's spend up to `now`; None where nothing was measured. Raises CannotSee.

    `match` narrows the queries down to one environment, as `namespace="x"`.
    """
    found = prometheus.now(f"max by (agent, models) ({_SPEND}{matchers(match, window='month')})", now)
    by_agent: dict[str, dict[str, float]] = {}
    for labels, dollars in found:
        by_agent.setdefault(labels.get("agent", ""), {})[labels.get("models", "")] = dollars
    everything = by_agent.pop(_ALL, None)
    if everything is None:
        return None
    agents = {agent: _of(models) for agent, models in by_agent.items()}
    today = now.astimezone(UTC)
    began = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    seconds = max(60, round((today - began).total_seconds()))
    answered = matchers('outcome!="rejected"', match)
    query = f"sum(increase(sluice_requests_total{answered}[{seconds}s]))"
    requests = next((round(value) for _, value in prometheus.now(query, now)), None)
    return Actual(today, *_of(everything), MappingProxyType(agents), requests)


def _of(models: Mapping[str, float]) -> tuple[float, float]:
    return models.get(_FINE_TUNED, 0.0), models.get(_ALL, 0.0)
