"""The flags that say which model answers whom. They change in place while pods run: no weight restarts anything."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class FlagsArgs:
    """The rendered ConfigMap, which has a fixed name, and the namespace it goes to."""

    config_map: KubernetesObject
    namespace: pulumi.Input[str]


class Flags(pulumi.ComponentResource):
    """The ConfigMap that gateways read while they run. Outputs: `config_map`, its name."""

    config_map: pulumi.Output[str]

    def __init__(self, name: str, args: FlagsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Flags", name, None, opts)
        make(name, args.config_map, parent=self, namespace=args.namespace)
        self.config_map = pulumi.Output.from_input(args.config_map.name)
        self.register_outputs({"config_map": self.config_map})
