"""All rules of an environment, in their groups. Their number is the same for five agents and for a thousand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

from sluice.registry import Settings
from sluice.render.alerts.errors import ERRORS
from sluice.render.alerts.expressions import within
from sluice.render.alerts.latency import LATENCY
from sluice.render.alerts.panels import CHOOSING_AGENTS
from sluice.render.alerts.quality import QUALITY
from sluice.render.alerts.recordings import counts, days, hours
from sluice.render.alerts.rollout import ROLLOUT
from sluice.render.alerts.rule import Alert, Recording, RuleGroup
from sluice.render.alerts.service import SERVICE
from sluice.render.alerts.spend import SPEND

_GROUPS: Final = (
    RuleGroup("sluice-counts", "30s", counts()),
    RuleGroup("sluice-hours", "1m", hours()),
    RuleGroup("sluice-days", "5m", days()),
    RuleGroup("sluice-quality", "1m", QUALITY),
    RuleGroup("sluice-errors", "30s", ERRORS),
    RuleGroup("sluice-latency", "30s", LATENCY),
    RuleGroup("sluice-spend", "1m", SPEND),
    RuleGroup("sluice-rollout", "30s", ROLLOUT),
    RuleGroup("sluice-service", "30s", SERVICE),
)

_EVERY: Final = tuple(chain.from_iterable(group.rules for group in _GROUPS))
RECORDINGS: Final = tuple(rule for rule in _EVERY if isinstance(rule, Recording))
ALERTS: Final = tuple(rule for rule in _EVERY if isinstance(rule, Alert))


def rule_groups(settings: Settings) -> list[dict[str, Any]]:
    """Render the groups as Prometheus and its operator read them: the same for both."""
    return [
        {
            "name": f"{group.name}-{settings.environment}",
            "interval": group.interval,
            "rules": [_rendered(rule, settings) for rule in group.rules],
        }
        for group in _GROUPS
    ]


def _rendered(rule: Recording | Alert, settings: Settings) -> dict[str, Any]:
    expression = within(settings.namespace, rule.expression)
    where = {"namespace": settings.namespace}
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": expression, "labels": {**where, **rule.labels}}
    return {
        "alert": rule.name,
        "expr": expression,
        "for": rule.held,
        "labels": {
            **({"agent": rule.agent} if rule.agent else {}),
            "environment": settings.environment,
            **where,
            "severity": str(rule.severity),
            **rule.labels,
        },
        "annotations": _annotations(rule, settings),
    }


def _annotations(alert: Alert, settings: Settings) -> Mapping[str, str]:
    return {
        "summary": _said(alert.summary, settings),
        "description": _said(alert.description, settings),
        "runbook_url": f"{settings.monitoring.runbooks}/{alert.name}.md",
        "dashboard_url": _dashboard_url(alert, settings),
    }


def _dashboard_url(alert: Alert, settings: Settings) -> str:
    panel = alert.panel
    chosen = f"var-namespace={settings.namespace}"
    if panel.dashboard in CHOOSING_AGENTS:
        # So Grafana calls all of them; "all" would be an agent of that name.
        chosen += f"&var-agent={'$__all' if alert.agent else '{{ $labels.agent }}'}"
    return f"{settings.monitoring.dashboards}/d/{panel.dashboard}?{chosen}&viewPanel={panel.number}"


def _said(text: str, settings: Settings) -> str:
    """Put the environment's own names where a text says ENV and NAMESPACE."""
    names = {"ENV": settings.environment, "NAMESPACE": settings.namespace}
    return re.sub(r"\b(ENV|NAMESPACE)\b", lambda found: names[found[1]], text)
