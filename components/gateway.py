"""The gateway: the process that callers talk to, what it reads at its start, and the address it answers at."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make_all
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class GatewayArgs:
    """The rendered objects of the gateway, the namespace they go to, and the address callers use."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]
    url: str


class Gateway(pulumi.ComponentResource):
    """ServiceAccount, start-up configuration, Service and Deployment. Outputs: `url`."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Gateway", name, None, opts)
        make_all(name, args.objects, parent=self, namespace=args.namespace)
        self.url = pulumi.Output.from_input(args.url)
        self.register_outputs({"url": self.url})
