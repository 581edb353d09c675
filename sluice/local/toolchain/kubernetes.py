"""The programs of the local Kubernetes, from the PATH or built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.local.toolchain import go_build
from sluice.local.toolchain.catalog import COREDNS, KUBE, KUBERNETES_VERSION, PAUSE
from sluice.local.toolchain.installed import InstalledTool, find_on_path
from sluice.progress import Progress

_MINOR = tuple(map(int, KUBERNETES_VERSION.split(".")[:2]))

_CONTROL_PLANE = tuple(
    InstalledTool(
        program, ("--version",), r"Kubernetes v(\d+)\.(\d+)", at_least=_MINOR, below=(_MINOR[0], _MINOR[1] + 1)
    )
    for program in ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")
)
_ETCD = InstalledTool("etcd", ("--version",), r"etcd Version: (\d+)\.(\d+)", at_least=(3, 5), below=(4, 0))
_KUBECTL = InstalledTool(
    "kubectl",
    ("version", "--client"),
    r"Client Version: v(\d+)\.(\d+)",
    at_least=(_MINOR[0], _MINOR[1] - 1),
    below=(_MINOR[0], _MINOR[1] + 2),
)
_COREDNS = InstalledTool("coredns", ("-version",), r"CoreDNS-(\d+)\.(\d+)", at_least=(1, 11), below=(2, 0))


@dataclass(frozen=True, slots=True)
class KubernetesTools:
    """Where the programs of a node are; every path exists."""

    kube: Path
    """A folder with etcd, kube-apiserver, kube-controller-manager, kube-proxy, kube-scheduler, kubectl, kubelet."""
    coredns: Path
    pause: Path


def ensure_kubernetes(cache: Path, progress: Progress) -> KubernetesTools:
    """Find or build what a local Kubernetes runs. Raises what `go_build.build` raises."""
    wanted = [PAUSE]
    node = find_on_path((*_CONTROL_PLANE, _ETCD, _KUBECTL))
    if node is None:
        wanted.append(KUBE)
    coredns = find_on_path((_COREDNS,))
    if coredns is None:
        wanted.append(COREDNS)
    built = go_build.build(wanted, cache, progress)
    return KubernetesTools(
        kube=built[KUBE] if node is None else _linked(node, cache),
        coredns=built[COREDNS] / COREDNS.binary if coredns is None else coredns["coredns"],
        pause=built[PAUSE] / PAUSE.binary,
    )


def _linked(programs: dict[str, Path], cache: Path) -> Path:
    """Gather programs that lie in different folders of the PATH into one folder of links."""
    folder = cache / "toolchain" / "kube-from-path"
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != path:
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return folder
