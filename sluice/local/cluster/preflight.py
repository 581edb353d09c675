"""Everything that can be known to be in the way before anything is started: each one sentence, and nothing half done.

It looks only at what is missing: a component of ours that runs holds its own port and is left alone.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.local.cluster import ownership, ports, processes, records
from sluice.local.cluster.components import PORTS, Name, Port
from sluice.local.cluster.errors import (
    CgroupsMissing,
    DiskFull,
    NetworkTaken,
    NotRoot,
    OtherCopyRunning,
    OtherKubernetesRunning,
    PortInUse,
    StateFolderUnfit,
)
from sluice.local.cluster.layout import INTERFACE, POD_NETWORK, SERVICE_NETWORK, Layout
from sluice.local.cluster.records import Marked

_NEEDED_BYTES = 2 * 2**30
_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
_SOCKET_PATH_BYTES = 107
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Route:
    """A network and the interface it is reached through."""

    network: ipaddress.IPv4Network
    interface: str


def check_root(what: str) -> None:
    """Raise NotRoot; `what` begins the sentence: "starting", "stopping"."""
    if os.geteuid() != 0:
        raise NotRoot(what)


def check_machine(layout: Layout) -> None:
    """Check the state folder's path and the cgroups. Raises the first thing that is wrong."""
    check_state_folder(layout)
    missing = missing_controllers(Path("/sys/fs/cgroup"))
    if missing:
        raise CgroupsMissing(missing)


def check_neighbours(layout: Layout, marked: Sequence[Marked]) -> None:
    """Check for another copy of ours, another Kubernetes and somebody else's addresses. Raises the first found."""
    for mark in marked:
        if mark.state != str(layout.state):
            raise OtherCopyRunning(mark.state, component=mark.component, pid=mark.process.pid)
    for pid, program in ownership.foreign_kubernetes(marked):
        raise OtherKubernetesRunning(program, pid)
    check_routes(parse_routes((_PROC / "net/route").read_text(encoding="ascii")))


def check_missing(layout: Layout, missing: Iterable[Name], marked: Sequence[Marked]) -> None:
    """Check what only components still to be started need: room on the disk, and their ports. Raises the first."""
    names = tuple(missing)
    if names:
        check_disk(layout.state)
    check_ports((port for name in names for port in PORTS[name]), marked)


def check_ports(wanted: Iterable[Port], marked: Sequence[Marked]) -> None:
    """Raise PortInUse for the first port that is taken by a process not of `marked`."""
    ours = {mark.process.pid for mark in marked}
    found = list(ports.listeners())
    for port in wanted:
        blocking = [
            listener
            for listener in found
            if (listener.port, listener.protocol) == (port.number, port.protocol) and listener.blocks(port.address)
        ]
        held_by = ports.holders(listener.inode for listener in blocking)
        for listener in blocking:
            pid = held_by.get(listener.inode)
            if pid not in ours:
                program = processes.program_of(pid) if pid is not None else None
                raise PortInUse(port.number, port.protocol, address=str(listener.address), pid=pid, program=program)


def check_state_folder(layout: Layout) -> None:
    """Raise StateFolderUnfit for a path that sockets, mount tables or configuration files cannot carry."""
    if not layout.state.is_absolute():
        raise StateFolderUnfit(layout.state, "it is no absolute path")
    if any(character.isspace() or character in '"\\,:' for character in str(layout.state)):
        raise StateFolderUnfit(layout.state, "its path has a space, a comma, a colon, a quote or a backslash")
    longest = f"{layout.containerd_socket}.ttrpc"
    if len(longest.encode()) > _SOCKET_PATH_BYTES:
        raise StateFolderUnfit(layout.state, "its path is too long for containerd's socket")


def check_disk(folder: Path, *, needed_bytes: int = _NEEDED_BYTES) -> None:
    """Raise DiskFull when the disk that `folder` is or would be on has fewer than `needed_bytes` bytes free."""
    present = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_bytes = shutil.disk_usage(present).free
    if free_bytes < needed_bytes:
        raise DiskFull(folder, free_bytes=free_bytes, needed_bytes=needed_bytes)


def missing_controllers(root: Path) -> tuple[str, ...]:
    """Return the cgroup controllers that the kubelet needs and that are not mounted below `root`, version 1 or 2."""
    unified = root / "cgroup.controllers"
    there = set(unified.read_text(encoding="ascii").split()) if unified.exists() else set()
    return tuple(name for name in _CONTROLLERS if name not in there and not (root / name / "cgroup.procs").exists())


def check_routes(routes: Iterable[Route]) -> None:
    """Raise NetworkTaken when a route of somebody else's lies in the addresses that pods and services get.

    A wide route, such as a company network's 10.0.0.0/8, is no obstacle: ours are more exact and win.
    """
    for route in routes:
        for wanted in (POD_NETWORK, SERVICE_NETWORK):
            network = ipaddress.IPv4Network(wanted)
            if route.network.overlaps(network) and route.network.prefixlen >= 16 and not _is_ours(route, network):
                raise NetworkTaken(wanted, found=str(route.network), interface=route.interface)


def parse_routes(text: str) -> Iterator[Route]:
    """Yield the routes in the text of /proc/net/route."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            address, mask = (int.from_bytes(bytes.fromhex(fields[at]), "little") for at in (1, 7))
            yield Route(ipaddress.IPv4Network((address, mask.bit_count())), fields[0])


def _is_ours(route: Route, wanted: ipaddress.IPv4Network) -> bool:
    # A pod's own route is one address through its veth; one left behind goes away with its namespace.
    is_pod = route.interface.startswith("veth") and route.network.prefixlen == 32 and route.network.subnet_of(wanted)
    return route.interface == INTERFACE or is_pod


def ours(layout: Layout, marked: Iterable[Marked]) -> tuple[Marked, ...]:
    """Return those of `marked` that belong to this state folder."""
    return tuple(mark for mark in marked if mark.state == str(layout.state))


def look() -> tuple[records.Marked, ...]:
    """Return every process of any local cluster on this machine."""
    return tuple(records.marked_processes())
