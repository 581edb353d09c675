"""What was really spent this month, asked of Prometheus: the gateway's own sums, which count as its cap does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sluice.rollout.cost import Actual
from sluice.rollout.guard.prometheus import Prometheus

_ALL = "all"
_FINE_TUNED = "fine_tuned"


def actual_of(prometheus: Prometheus, match: str, now: datetime) -> Actual | None:
    """Return this UTC month's spend up to `now`; None where nothing was measured. Raises CannotSee.

    `match` narrows the queries down to one environment, as `namespace="x"`.
    """
    more = f",{match}" if match else ""
    found = prometheus.now(f'max by (agent, models) (sluice_spend_dollars{{window="month"{more}}})', now)
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
    query = f'sum(increase(sluice_requests_total{{outcome!="rejected"{more}}}[{seconds}s]))'
    requests = next((round(value) for _, value in prometheus.now(query, now)), None)
    return Actual(today.date(), *_of(everything), MappingProxyType(agents), requests)


def _of(models: Mapping[str, float]) -> tuple[float, float]:
    return models.get(_FINE_TUNED, 0.0), models.get(_ALL, 0.0)
