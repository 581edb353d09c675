"""The rules that the API server asks of whatever is put into the environment, by Pulumi or around it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject


@dataclass(frozen=True, slots=True)
class AdmissionArgs:
    """The rendered policy and its binding; neither lies in a namespace."""

    objects: tuple[KubernetesObject, ...]


class Admission(pulumi.ComponentResource):
    """ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding. Outputs: `policy`, the name of both."""

    policy: pulumi.Output[str]

    def __init__(self, name: str, args: AdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Admission", name, None, opts)
        for rendered in args.objects:
            make(name, rendered, parent=self)
        self.policy = pulumi.Output.from_input(args.objects[0].name)
        self.register_outputs({"policy": self.policy})
