"""The guard: its Deployment, and the two objects that it alone writes while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kubernetes_objects import make
from sluice.render import KubernetesObject

# What others write is ignored: without that, a refresh would read it and the next update undo it.
_WRITTEN_WHILE_RUNNING: Final = {"Lease": ["spec"], "rollbacks": ["data"]}


@dataclass(frozen=True, slots=True)
class GuardArgs:
    """The rendered objects of the guard, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Guard(pulumi.ComponentResource):
    """Lease, facts, configuration, Deployment; there are several of a kind, so each is called after its own part."""

    def __init__(self, name: str, args: GuardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Guard", name, None, opts)
        for rendered in args.objects:
            ignored = _WRITTEN_WHILE_RUNNING.get(rendered.kind) or _WRITTEN_WHILE_RUNNING.get(rendered.name)
            options = pulumi.ResourceOptions(ignore_changes=ignored)
            part = f"{name}-facts" if rendered.name == "rollbacks" else name
            shared = ignored is not None
            make(part, rendered, parent=self, namespace=args.namespace, options=options, is_shared=shared)
        self.register_outputs({})
