"""The Prometheus beside the gateway, in the environments that have it embedded."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class PrometheusArgs:
    """The rendered objects of Prometheus, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Prometheus(pulumi.ComponentResource):
    """Configuration, Service and Deployment of the embedded Prometheus, and the Services by which it finds pods."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Prometheus", name, None, opts)
        for rendered in args.objects:
            called = name if rendered.name.startswith(name) else f"{name}-{rendered.name}"
            make(called, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
