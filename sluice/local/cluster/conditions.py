"""What the cluster is doing now, as data for a command to print.

It changes nothing. What the components do anybody may ask; whether the node takes pods only root can, and where the
answer hangs on that, it is an error and not a no.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sluice.local.cluster import node, processes, records
from sluice.local.cluster.api import Api
from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import NotReadable
from sluice.local.cluster.layout import Layout


class Condition(StrEnum):
    """What a component does."""

    RUNNING = "running"
    DEAD = "dead"
    """It was started and not stopped, and does not run: it died, or the machine was restarted."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One component; pid, uptime and memory are None when it does not run."""

    name: str
    condition: Condition
    pid: int | None = None
    uptime_seconds: float | None = None
    resident_mib: float | None = None


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """All components in the order of starting; `node_is_ready` is None when that cannot be asked."""

    components: tuple[ComponentStatus, ...]
    node_is_ready: bool | None

    @property
    def is_up(self) -> bool:
        """Whether every component runs and the node takes pods."""
        return self.node_is_ready is True and all(part.condition is Condition.RUNNING for part in self.components)


def status(state: Path) -> ClusterStatus:
    """Return what each component of the cluster in `state` does, and whether the node takes pods.

    Raises NotReadable where a person who is not root cannot be told whether it is up.
    """
    layout = Layout(state)
    try:
        parts = tuple(_component(layout, name) for name in Name)
    except PermissionError as error:
        raise NotReadable(Path(error.filename)) from error
    running = {part.name for part in parts if part.condition is Condition.RUNNING}
    if Name.API_SERVER not in running:
        return ClusterStatus(parts, None)
    try:
        return ClusterStatus(parts, _node_is_ready(layout))
    except PermissionError as error:
        if len(running) < len(parts):  # not up, whatever the node says
            return ClusterStatus(parts, None)
        raise NotReadable(layout.kubeconfig) from error


def _component(layout: Layout, name: Name) -> ComponentStatus:
    record = records.load(layout, name)
    if record is None:
        return ComponentStatus(name, Condition.STOPPED)
    usage = processes.usage(record.process)
    if usage is None:
        return ComponentStatus(name, Condition.DEAD)
    return ComponentStatus(
        name, Condition.RUNNING, record.process.pid, usage.uptime_seconds, usage.resident_bytes / 2**20
    )


def _node_is_ready(layout: Layout) -> bool | None:
    try:
        api = Api(layout.kubeconfig)
    except FileNotFoundError:
        return None
    found = node.readiness(api)
    return None if found is None else found.is_ready
