"""Why the local cluster cannot be started or stopped: one class for each kind of obstacle, each with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sluice.errors import SluiceError


class NotRoot(SluiceError):
    """Containers, mounts and addresses need root."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} the local cluster needs root: run the command with sudo")


class PortInUse(SluiceError):
    """A port the cluster needs belongs to a process that is not the cluster's."""

    def __init__(self, port: int, protocol: str, *, address: str, pid: int | None, program: str | None) -> None:
        self.port, self.protocol, self.pid, self.program = port, protocol, pid, program
        holder = f"{program or 'a program'} (pid {pid})" if pid is not None else "a process that cannot be seen"
        super().__init__(
            f"port {port}/{protocol} on {address} is in use by {holder}, and the local cluster needs it: stop that "
            "program, or use a cluster of your own with KUBECONFIG"
        )


class OtherCopyRunning(SluiceError):
    """A local cluster with another state folder holds this machine's ports."""

    def __init__(self, other: str, *, component: str, pid: int) -> None:
        self.other, self.component, self.pid = other, component, pid
        super().__init__(
            f"another local cluster runs on this machine, with its state in {other} ({component}, pid {pid}): "
            f"stop it with SLUICE_STATE={other} sluice local down"
        )


class OtherKubernetesRunning(SluiceError):
    """Another Kubernetes runs in this machine's own network; two of them overwrite each other's packet rules."""

    def __init__(self, program: str, pid: int) -> None:
        self.program, self.pid = program, pid
        super().__init__(
            f"another Kubernetes runs on this machine: {program}, pid {pid}. "
            "Use it (KUBECONFIG=FILE make up) or stop it"
        )


class NetworkTaken(SluiceError):
    """Addresses that the pods or services would have are somebody else's."""

    def __init__(self, wanted: str, *, found: str, interface: str) -> None:
        self.wanted, self.found, self.interface = wanted, found, interface
        super().__init__(
            f"the local cluster needs the addresses {wanted}, but {found} is reached through {interface}: "
            f"remove that network (ip link delete {interface}) or use a cluster of your own with KUBECONFIG"
        )


class DiskFull(SluiceError):
    """Too little room where the state would lie."""

    def __init__(self, folder: Path, *, free_bytes: int, needed_bytes: int) -> None:
        self.folder, self.free_bytes, self.needed_bytes = folder, free_bytes, needed_bytes
        super().__init__(
            f"{folder} has {free_bytes / 2**30:.1f} GiB free and the local cluster needs "
            f"{needed_bytes / 2**30:.0f} GiB: make room, or put the state elsewhere with SLUICE_STATE=FOLDER"
        )


class CgroupsMissing(SluiceError):
    """The kernel's resource controllers that the kubelet needs are not there."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(
            f"the kubelet needs the cgroup controllers {', '.join(missing)} below /sys/fs/cgroup and "
            "they are not there: mount them, or, in a container, start it privileged"
        )


class StateFolderUnfit(SluiceError):
    """The state folder's path does not work for containerd's sockets or the mount table."""

    def __init__(self, folder: Path, why: str) -> None:
        self.folder = folder
        super().__init__(f"{folder} cannot hold the cluster's state: {why}; choose another with SLUICE_STATE=FOLDER")


class BinaryMissing(SluiceError):
    """A program that the cluster runs is not where it should be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is missing or cannot be run: build the tools again with `make up`")


class Busy(SluiceError):
    """Another up or down is at work on the same state folder."""

    def __init__(self, lock: Path, holder: str) -> None:
        self.lock, self.holder = lock, holder
        super().__init__(f"the local cluster is being started or stopped by pid {holder}: wait for it, then try again")


class ComponentFailed(SluiceError):
    """A component ended while starting, or did not get healthy in time."""

    def __init__(self, component: str, what: str, *, log: Path, last_lines: Sequence[str]) -> None:
        self.component, self.log, self.last_lines = component, log, tuple(last_lines)
        said = "".join(f"\n  {line}" for line in last_lines)
        super().__init__(
            f"{component} {what}; its log is {log}. Mend the cause and run `sluice local up` again, "
            f"or `sluice local down` to clear up. Its last lines:{said or ' none'}"
        )


class NodeNotReady(SluiceError):
    """All components run, and the node still does not take pods."""

    def __init__(self, reason: str, *, log: Path) -> None:
        self.reason = reason
        super().__init__(f"the node does not get ready: {reason}; see {log}")


class ProgramFailed(SluiceError):
    """A program of the system (ip, iptables, ctr, umount) said no."""

    def __init__(self, command: Sequence[str], output: str) -> None:
        self.command, self.output = tuple(command), output
        super().__init__(f"`{' '.join(command)}` failed: {output.strip() or 'it said nothing'}")


class ApiRefused(SluiceError):
    """The API server answered a request of ours with an error."""

    def __init__(self, method: str, path: str, *, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"the API server answered {status} to {method} {path}: {message}")


class ApiUnreachable(SluiceError):
    """The API server does not answer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the local cluster's API server does not answer ({why}): start it with `sluice local up`")


class LeftBehind(SluiceError):
    """Stopping did not get rid of everything."""

    def __init__(self, what: Sequence[str]) -> None:
        self.what = tuple(what)
        super().__init__(
            f"could not be cleared up: {'; '.join(what)}. Run `sluice local down` again, or restart the machine"
        )


class NotReadable(SluiceError):
    """Whether the cluster is up cannot be told without a file that only root may read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"whether the local cluster is up cannot be known, since only root may read {path}: "
            "run the command with sudo"
        )


class UnknownComponent(SluiceError):
    """A component's name that the cluster does not have."""

    exit_code: ClassVar[int] = 2

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        super().__init__(f"{name} is no component of the local cluster; there are {', '.join(known)}")
