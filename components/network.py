"""The network around an environment's pods: nothing passes that is not named."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    """The rendered policies, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """NetworkPolicies; there are several, so each is called after itself."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Network", name, None, opts)
        for rendered in args.objects:
            make(f"{name}-{rendered.name}", rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
