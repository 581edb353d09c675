"""The gateway's name outside the cluster: an Ingress, a route at one of the cluster's Gateways, or both."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class IngressArgs:
    """The rendered Ingress and HTTPRoute, where there are any, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Ingress(pulumi.ComponentResource):
    """Ingress and HTTPRoute, by which callers outside the cluster come in."""

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Ingress", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
