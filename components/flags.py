"""The flags that say which model answers whom. They change in place while pods run: no weight restarts anything."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make_all
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class FlagsArgs:
    """The rendered ConfigMaps, which have fixed names, and the namespace they go to."""

    config_maps: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Flags(pulumi.ComponentResource):
    """The ConfigMaps that gateways read while they run. Outputs: `config_maps`, their names."""

    config_maps: pulumi.Output[list[str]]

    def __init__(self, name: str, args: FlagsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Flags", name, None, opts)
        make_all(name, args.config_maps, parent=self, namespace=args.namespace)
        self.config_maps = pulumi.Output.from_input([config_map.name for config_map in args.config_maps])
        self.register_outputs({"config_maps": self.config_maps})
