"""The namespace of an environment, with the Pod Security level that is enforced in it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class EnvironmentNamespaceArgs:
    """The rendered namespace, and whether Pulumi refuses to delete it with all that is in it."""

    namespace: KubernetesObject
    protected: bool


class EnvironmentNamespace(pulumi.ComponentResource):
    """Where everything of an environment lives. Outputs: `name`, which waits for the namespace to be there."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: EnvironmentNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:EnvironmentNamespace", name, None, opts)
        options = pulumi.ResourceOptions(protect=args.protected)
        namespace = make(name, args.namespace, parent=self, options=options)
        self.name = namespace.metadata["name"]
        self.register_outputs({"name": self.name})
