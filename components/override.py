"""The override: a ConfigMap that Pulumi makes once and whose content is never Pulumi's."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class OverrideArgs:
    """The rendered ConfigMap without data, the namespace it goes to, and whether Pulumi refuses to delete it."""

    config_map: KubernetesObject
    namespace: pulumi.Input[str]
    protected: bool


class Override(pulumi.ComponentResource):
    """The ConfigMap in which the running system keeps its vetoes. Outputs: `config_map`, its name."""

    config_map: pulumi.Output[str]

    def __init__(self, name: str, args: OverrideArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Override", name, None, opts)
        # What is ignored is what others write: without it, a refresh would read a veto and the next update undo it.
        options = pulumi.ResourceOptions(ignore_changes=["data", "binaryData"], protect=args.protected)
        make(name, args.config_map, parent=self, namespace=args.namespace, options=options, is_shared=True)
        self.config_map = pulumi.Output.from_input(args.config_map.name)
        self.register_outputs({"config_map": self.config_map})
