"""Who is told of an alert: Alertmanager's configuration, which holds names of files with keys and never a key.

One notification an agent, so that a bad candidate is one page and not ten. What is a consequence of something else is
held back, and only where both alerts name an agent: Alertmanager takes a label that both lack as equal.
"""

from __future__ import annotations

from typing import Any, Final

from sluice.registry import Settings
from sluice.render.yaml_text import yaml_text

KEYS_FOLDER: Final = "/etc/alertmanager/secrets/sluice"
PAGERDUTY_KEY: Final = f"{KEYS_FOLDER}/pagerduty-routing-key"
SLACK_ADDRESS: Final = f"{KEYS_FOLDER}/slack-webhook"

NOBODY: Final = "nobody"
ON_CALL: Final = "on-call"
TEAM: Final = "team"

_OURS = 'alertname=~"Sluice.+"'
_OF_AN_AGENT = ['agent=~".+"', 'namespace=~".+"']
_TITLE = "{{ .CommonLabels.agent }} in {{ .CommonLabels.environment }}: {{ len .Alerts.Firing }} firing"
_TEXT = (
    "{{ range .Alerts }}*{{ .Annotations.summary }}* ({{ .Labels.severity }}, {{ .Status }})\n"
    "{{ .Annotations.description }}\n"
    "<{{ .Annotations.runbook_url }}|runbook> <{{ .Annotations.dashboard_url }}|dashboard>\n{{ end }}"
)


def alertmanager_text(settings: Settings) -> str:
    """Return the configuration as the file that Alertmanager reads."""
    return yaml_text(_configuration(settings))


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": NOBODY,
            "group_by": ["namespace", "agent"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "4h",
            "routes": [
                {
                    "receiver": ON_CALL,
                    "matchers": [_OURS, 'severity="critical"'],
                    # Rollback is due within five minutes of the first sign: nobody waits for company.
                    "group_wait": "10s",
                    "group_interval": "1m",
                },
                {"receiver": TEAM, "matchers": [_OURS, 'severity="warning"'], "repeat_interval": "24h"},
            ],
        },
        "inhibit_rules": _inhibitions(),
        "receivers": [
            {"name": NOBODY},
            {"name": ON_CALL, "pagerduty_configs": [_pagerduty()], "slack_configs": [_slack(settings)]},
            {"name": TEAM, "slack_configs": [_slack(settings)]},
        ],
    }


def _inhibitions() -> list[dict[str, Any]]:
    return [
        # Somebody is paged for this agent already.
        # Not for what lasts for days: an override, and what is about all agents, as a month's cap that is spent.
        _inhibition(['severity="critical"', 'alertname!="SluiceOverrideActive"', 'agent!="all"'], 'severity="warning"'),
        # Its users are on their way to the baseline: what the candidate is worth pages nobody any more.
        _inhibition(['alertname="SluiceOverrideActive"'], 'alertname=~"SluiceQuality.+|SluiceSpecificityLow"'),
        # A step that was planned: weights take a moment, and caches are cold.
        _inhibition(['alertname="SluicePlannedStep"'], 'severity="warning"'),
        # Without a gateway there is no traffic, and no agent of its own to name.
        {
            "source_matchers": ['alertname="SluiceGatewayAbsent"', 'namespace=~".+"'],
            "target_matchers": ['alertname=~"SluiceNoTraffic|SluiceWeightNotServed"', 'namespace=~".+"'],
            "equal": ["namespace"],
        },
    ]


def _inhibition(source: list[str], target: str) -> dict[str, Any]:
    return {
        "source_matchers": [_OURS, *source, *_OF_AN_AGENT],
        "target_matchers": [_OURS, target, *_OF_AN_AGENT],
        "equal": ["namespace", "agent"],
    }


def _pagerduty() -> dict[str, Any]:
    return {
        "routing_key_file": PAGERDUTY_KEY,
        "severity": "critical",
        "description": _TITLE,
        "details": {
            "summary": "{{ range .Alerts.Firing }}{{ .Annotations.summary }}\n{{ end }}",
            "next": "{{ range .Alerts.Firing }}{{ .Annotations.description }}\n{{ end }}",
            "runbooks": "{{ range .Alerts.Firing }}{{ .Annotations.runbook_url }}\n{{ end }}",
        },
        "links": [{"href": "{{ (index .Alerts 0).Annotations.dashboard_url }}", "text": "dashboard"}],
    }


def _slack(settings: Settings) -> dict[str, Any]:
    return {
        "api_url_file": SLACK_ADDRESS,
        "channel": settings.monitoring.slack_channel,
        "send_resolved": True,
        "title": _TITLE,
        "text": _TEXT,
    }
