"""How the gateway is watched: what is scraped, which rules hold, and who is told."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class AlertsArgs:
    """The rendered monitor, rules and Alertmanager's configuration, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Alerts(pulumi.ComponentResource):
    """PodMonitor, PrometheusRule and Alertmanager's ConfigMap; the cluster must know prometheus-operator's kinds."""

    def __init__(self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Alerts", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
