"""How much an environment may take of its cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class QuotasArgs:
    """The rendered quota and limits, where there are any, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Quotas(pulumi.ComponentResource):
    """ResourceQuota and LimitRange of the namespace."""

    def __init__(self, name: str, args: QuotasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Quotas", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
