"""LiteLLM: one more upstream behind the gateway, in the environments that have providers of another dialect."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class LiteLLMArgs:
    """The rendered objects of LiteLLM, one of a kind, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class LiteLLM(pulumi.ComponentResource):
    """ServiceAccount, configuration, Service, Deployment and, where there are more pods, a disruption budget."""

    def __init__(self, name: str, args: LiteLLMArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:LiteLLM", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
