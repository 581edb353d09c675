"""The Secret with the digests of callers' keys, made from values that only Pulumi's encrypted configuration holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core

from components.kubernetes_objects import owned
from sluice.render import SecretReference


@dataclass(frozen=True, slots=True)
class CallerKeysArgs:
    """Which Secret, the namespace it goes to, and by team the digests of its keys: a Pulumi secret."""

    reference: SecretReference
    namespace: pulumi.Input[str]
    digests: pulumi.Output[Mapping[str, str]]


class CallerKeys(pulumi.ComponentResource):
    """One file a team for the gateway to mount. Outputs: `secret`, its name."""

    secret: pulumi.Output[str]

    def __init__(self, name: str, args: CallerKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:CallerKeys", name, None, opts)
        core.v1.Secret(
            f"{name}-secret",
            metadata=owned({"name": args.reference.name, "labels": dict(args.reference.labels)}, args.namespace),
            string_data=args.digests,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.secret = pulumi.Output.from_input(args.reference.name)
        self.register_outputs({"secret": self.secret})
