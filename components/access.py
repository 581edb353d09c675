"""Who may do what with the API server: the roles of an environment and who holds them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class AccessArgs:
    """The rendered roles and their bindings, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Access(pulumi.ComponentResource):
    """Roles and RoleBindings; there are several of a kind, so each is called after itself."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Access", name, None, opts)
        for rendered in args.objects:
            make(f"{name}-{rendered.name}", rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
