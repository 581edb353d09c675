"""The Secret with the digests of callers' keys, made from values that only Pulumi's encrypted configuration holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.cluster_object import ClusterSecret
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
        ClusterSecret(
            f"{name}-secret",
            owned({"name": args.reference.name, "labels": dict(args.reference.labels)}, args.namespace),
            {"data": args.digests.apply(_encoded)} if args.reference.keys else {},
            pulumi.ResourceOptions(parent=self),
        )
        self.secret = pulumi.Output.from_input(args.reference.name)
        self.register_outputs({"secret": self.secret})


def _encoded(digests: Mapping[str, str]) -> Mapping[str, str]:
    # Not `stringData`: of that the API server tells nobody what it holds, so that an empty one is a change in each
    # update, and a team that is taken out of it stays in the Secret.
    return {team: base64.b64encode(digest.encode()).decode() for team, digest in digests.items()}
