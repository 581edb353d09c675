"""Alerts: what is computed from the gateway's metrics, who is told of it, and where they read on.

Typed rules stand in the files named after what they watch, `rules.py` puts them together for an environment, and
`objects.py` and `alertmanager.py` write them down. Thresholds are series (`sluice_threshold`), so none of it grows
with the agents.
"""

from sluice.render.alerts.alertmanager import alertmanager_text
from sluice.render.alerts.objects import alerts, rules_text
from sluice.render.alerts.rule import Alert, Recording, RuleGroup, Severity
from sluice.render.alerts.rules import ALERTS, RECORDINGS, rule_groups

__all__ = [
    "ALERTS",
    "RECORDINGS",
    "Alert",
    "Recording",
    "RuleGroup",
    "Severity",
    "alertmanager_text",
    "alerts",
    "rule_groups",
    "rules_text",
]
