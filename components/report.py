"""The daily report: a CronJob that asks Prometheus and sends a page, in the environments that want one."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class ReportArgs:
    """The rendered objects of the report, one of a kind, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Report(pulumi.ComponentResource):
    """ServiceAccount, configuration, CronJob."""

    def __init__(self, name: str, args: ReportArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Report", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
