"""What makes the External Secrets Operator write the gateway's Secrets, in place of values from Pulumi."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class ExternalSecretsArgs:
    """The rendered objects, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class ExternalSecrets(pulumi.ComponentResource):
    """An object for each Secret; the update waits until its values have come."""

    def __init__(self, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:ExternalSecrets", name, None, opts)
        for rendered in args.objects:
            make(f"{name}-{rendered.name}", rendered, parent=self, namespace=args.namespace)
        self.register_outputs({})
