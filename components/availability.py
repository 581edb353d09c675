"""What keeps the gateway there through a node's repair and under load."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class AvailabilityArgs:
    """The rendered disruption budget and autoscaler, where there are any, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Availability(pulumi.ComponentResource):
    """PodDisruptionBudget and HorizontalPodAutoscaler of the gateway."""

    def __init__(self, name: str, args: AvailabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Availability", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
