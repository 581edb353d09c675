"""The cache: a Redis beside the gateway, in the environments that have it embedded."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class CacheArgs:
    """The rendered objects of the cache, one of a kind, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Cache(pulumi.ComponentResource):
    """Service and Deployment of the embedded Redis."""

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Cache", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
