"""The provider of made answers: stands where the real providers' addresses stand, in dev alone."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class StubProviderArgs:
    """The rendered objects of the stub provider, one of a kind, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class StubProvider(pulumi.ComponentResource):
    """Service and Deployment of the stub provider."""

    def __init__(self, name: str, args: StubProviderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:StubProvider", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
