"""Rules as what is handed over: a PrometheusRule for prometheus-operator, and a plain file for who has none."""

from __future__ import annotations

from sluice.registry import Settings
from sluice.registry.prometheus_settings import SCRAPED_EVERY_SECONDS
from sluice.render.alerts.alertmanager import alertmanager_text
from sluice.render.alerts.rules import rule_groups
from sluice.render.gateway import NAME as GATEWAY
from sluice.render.guard import NAME as GUARD
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels
from sluice.render.yaml_text import yaml_text

NAME = "sluice"
ALERTMANAGER = "alertmanager"
ALERTMANAGER_KEY = "alertmanager.yaml"


def alerts(settings: Settings) -> tuple[KubernetesObject, ...]:
    """Render what is scraped, the rules, and who is told; none where nobody watches for such objects."""
    monitoring = settings.monitoring
    if not monitoring.by_operator:
        return ()
    found_by = dict(monitoring.labels)
    return (
        kubernetes_object(
            "monitoring.coreos.com/v1",
            "PodMonitor",
            NAME,
            namespace=settings.namespace,
            labels={**labels(NAME, component="alerts"), **found_by},
            spec={
                "selector": {
                    "matchExpressions": [
                        {"key": "app.kubernetes.io/part-of", "operator": "In", "values": ["sluice"]},
                        {"key": "app.kubernetes.io/name", "operator": "In", "values": [GATEWAY, GUARD]},
                    ]
                },
                # The gateway's Service leaves the metrics' port out, so pods are scraped and no Service.
                "podMetricsEndpoints": [{"port": "metrics", "interval": f"{SCRAPED_EVERY_SECONDS}s"}],
            },
        ),
        kubernetes_object(
            "monitoring.coreos.com/v1",
            "PrometheusRule",
            NAME,
            namespace=settings.namespace,
            labels={**labels(NAME, component="alerts"), **found_by},
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
