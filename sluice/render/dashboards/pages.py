"""All dashboards of an environment, and every question that they ask: as many for five agents as for a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sluice.render.alerts.panels import Panel
from sluice.render.dashboards.agent import AGENT_DASHBOARD
from sluice.render.dashboards.cost import COST_DASHBOARD
from sluice.render.dashboards.operations import OPERATIONS_DASHBOARD
from sluice.render.dashboards.overview import OVERVIEW_DASHBOARD
from sluice.render.dashboards.shown import Dashboard

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    OVERVIEW_DASHBOARD,
    AGENT_DASHBOARD,
    COST_DASHBOARD,
    OPERATIONS_DASHBOARD,
)


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A panel's question as Prometheus gets it, with a value in place of each variable."""

    panel: Panel
    legend: str
    expression: str


def queries(namespace: str, agent: str, rate_interval: str = "2m") -> tuple[AskedQuery, ...]:
    """Return what all panels ask when people have chosen a namespace and an agent.

    `rate_interval` stands for what Grafana computes from the steps of a graph: four of the shortest at the least.
    """
    values = {"$namespace": namespace, "$agent": agent, "$__rate_interval": rate_interval}
    return tuple(
        AskedQuery(shown.panel, query.legend, _filled(query.scoped, values))
        for page in DASHBOARDS
        for shown in page.panels
        for query in shown.queries
    )


def _filled(expression: str, values: Mapping[str, str]) -> str:
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    return expression
