"""A Kubernetes of one node on this machine: control plane, kubelet, containers, network and DNS, nothing to pull.

`up` starts what is missing, `down` leaves nothing behind, `status` and the logs say what is going on. The programs come
from sluice.local.toolchain and Debian's packages (sluice.local.packages); this package only runs them.
"""

from __future__ import annotations

from pathlib import Path

from sluice.local.cluster.components import Binaries, Name
from sluice.local.cluster.conditions import ClusterStatus, ComponentStatus, Condition, status
from sluice.local.cluster.layout import Layout
from sluice.local.cluster.logs import log_file
from sluice.local.cluster.logs import read as read_logs
from sluice.local.cluster.starting import Restart, UpResult, Why, check, up
from sluice.local.cluster.stopping import down

__all__ = [
    "Binaries",
    "ClusterStatus",
    "ComponentStatus",
    "Condition",
    "Name",
    "Restart",
    "UpResult",
    "Why",
    "check",
    "containerd_socket",
    "down",
    "kubeconfig",
    "log_file",
    "read_logs",
    "status",
    "up",
]


def kubeconfig(state: Path) -> Path:
    """Return the administrator's kubeconfig; its one context is the local cluster."""
    return Layout(state).kubeconfig


def containerd_socket(state: Path) -> Path:
    """Return the address of the cluster's containerd, into whose namespace k8s.io images are imported."""
    return Layout(state).containerd_socket
