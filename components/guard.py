"""The guard: its Deployment, and the two objects that it alone writes while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kubernetes_objects import make, make_all
from sluice.render import KubernetesObject

# What others write is ignored: without that, a refresh would read it and the next update undo it.
_WRITTEN_WHILE_RUNNING: Final = {"Lease": ["spec"], "rollbacks": ["data"]}


@dataclass(frozen=True, slots=True)
class GuardArgs:
    """The rendered objects of the guard, and the namespace they go to."""

    objects: tuple[KubernetesObject, ...]
    namespace: pulumi.Input[str]


class Guard(pulumi.ComponentResource):
    """Lease, facts, configuration, Deployment; those that it writes while it runs are called after their part."""

    def __init__(self, name: str, args: GuardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Guard", name, None, opts)
        for rendered in filter(_ignored, args.objects):
            part = f"{name}-facts" if rendered.name == "rollbacks" else name
            options = pulumi.ResourceOptions(ignore_changes=_ignored(rendered))
            make(part, rendered, parent=self, namespace=args.namespace, options=options, is_shared=True)
        declared = [rendered for rendered in args.objects if not _ignored(rendered)]
        make_all(name, declared, parent=self, namespace=args.namespace)
        self.register_outputs({})


def _ignored(rendered: KubernetesObject) -> list[str] | None:
    return _WRITTEN_WHILE_RUNNING.get(rendered.kind) or _WRITTEN_WHILE_RUNNING.get(rendered.name)
