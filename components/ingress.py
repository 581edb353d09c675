"""The gateway's name outside the cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class IngressArgs:
    """The rendered Ingress, where there is one, and the namespace it goes to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Ingress(pulumi.ComponentResource):
    """The Ingress, with the certificate that callers see."""

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Ingress", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
