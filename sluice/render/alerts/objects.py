"""Rules as what is handed over: a PrometheusRule for prometheus-operator, and a plain file for who has none."""

from __future__ import annotations

from sluice.registry import Settings
from sluice.render.alerts.alertmanager import alertmanager_text
from sluice.render.alerts.rules import rule_groups
from sluice.render.gateway import NAME as GATEWAY
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels, selector
from sluice.render.yaml_text import yaml_text

RULES = "sluice"
ALERTMANAGER = "alertmanager"
ALERTMANAGER_KEY = "alertmanager.yaml"


def alerts(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render how the gateway is scraped, the rules, and who is told; none where nobody watches for such objects."""
    monitoring = settings.monitoring
    if not monitoring.by_operator:
        return ()
    found_by = dict(monitoring.labels)
    return (
        kubernetes_object(
            "monitoring.coreos.com/v1",
            "PodMonitor",
            GATEWAY,
            namespace=settings.namespace,
            labels={**labels(GATEWAY, component="alerts"), **found_by},
            spec={
                "selector": {"matchLabels": selector(GATEWAY)},
                # The Service leaves the metrics' port out, so pods are scraped and not the Service.
                "podMetricsEndpoints": [{"port": "metrics", "interval": "30s"}],
            },
        ),
        kubernetes_object(
            "monitoring.coreos.com/v1",
            "PrometheusRule",
            RULES,
            namespace=settings.namespace,
            labels={**labels(RULES, component="alerts"), **found_by},
            spec={"groups": rule_groups(settings)},
        ),
        kubernetes_object(
            "v1",
            "ConfigMap",
            ALERTMANAGER,
            namespace=settings.namespace,
            labels=labels(ALERTMANAGER, component="alerts"),
            data={ALERTMANAGER_KEY: alertmanager_text(settings)},
        ),
    )


def rules_text(settings: Settings) -> str:
    """Return the rules as a file that Prometheus itself reads by `rule_files`."""
    return yaml_text({"groups": rule_groups(settings)})
