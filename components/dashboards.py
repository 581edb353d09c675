"""What people look at: the dashboards, handed to the cluster's Grafana."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class DashboardsArgs:
    """The rendered dashboards, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Dashboards(pulumi.ComponentResource):
    """A ConfigMap for each dashboard, and a GrafanaDashboard where the cluster has grafana-operator and its kinds."""

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Dashboards", name, None, opts)
        for rendered in args.objects:
            # Each by its own name: one more would change the others' numbers, and so replace them.
            page = rendered.name.removeprefix("dashboard-")
            make(f"{name}-{page}", rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
