"""What the cluster is doing now, as data for a command to print; it changes nothing needs root only for the node."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sluice.local.cluster import node, processes, records
from sluice.local.cluster.api import Api
from sluice.local.cluster.components import Name
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

    @property
    def is_stopped(self) -> bool:
        """Whether no component runs or should."""
        return all(part.condition is Condition.STOPPED for part in self.components)


def status(state: Path) -> ClusterStatus:
    """Return what each component of the cluster in `state` does, and whether the node takes pods."""
    layout = Layout(state)
    parts = tuple(_component(layout, name) for name in Name)
    serves = any(part.name == Name.API_SERVER and part.condition is Condition.RUNNING for part in parts)
    return ClusterStatus(parts, _node_is_ready(layout) if serves else None)


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
    except OSError:  # not root, who alone may read the kubeconfig
        return None
    found = node.readiness(api)
    return None if found is None else found.is_ready
