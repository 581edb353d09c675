"""The Secret with the providers' API keys, made from values that only Pulumi's encrypted configuration holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.cluster_object import ClusterSecret
from components.kubernetes_objects import owned
from sluice.render import SecretReference


@dataclass(frozen=True, slots=True)
class ProviderKeysArgs:
    """Which Secret, the namespace it goes to, and the value of each of its keys: Pulumi secrets, all of them."""

    reference: SecretReference
    namespace: pulumi.Input[str]
    values: Mapping[str, pulumi.Output[str]]


class ProviderKeys(pulumi.ComponentResource):
    """One file a provider for the gateway to mount. Outputs: `secret`, its name."""

    secret: pulumi.Output[str]

    def __init__(self, name: str, args: ProviderKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:ProviderKeys", name, None, opts)
        ClusterSecret(
            f"{name}-secret",
            owned({"name": args.reference.name, "labels": dict(args.reference.labels)}, args.namespace),
            {"stringData": dict(args.values)},
            pulumi.ResourceOptions(parent=self),
        )
        self.secret = pulumi.Output.from_input(args.reference.name)
        self.register_outputs({"secret": self.secret})
