"""Whose the traces are that every Kubernetes leaves under the same names: KUBE-* chains, kubelet.sock, kubepods.

A name says nothing here, so they count as ours only where a record or a process's mark shows that our kubelet or
kube-proxy ran, and never while another Kubernetes runs in our network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sluice.local.cluster import processes
from sluice.local.cluster.components import Name
from sluice.local.cluster.layout import Layout
from sluice.local.cluster.records import Marked, Record

_KUBERNETES = frozenset({"kubelet", "kube-proxy", "k3s-server", "k3s-agent", "k0s", "kubelite", "rke2"})
# Those of our components that leave such traces.
_LEAVES_TRACES = frozenset({Name.KUBELET, Name.PROXY})


def foreign_kubernetes(known: Iterable[Marked]) -> Iterator[tuple[int, str]]:
    """Yield pid and program of each Kubernetes that runs in our network namespace and is not of `known`.

    The kubelet of a kind cluster is visible as well, but lives in its node's own network and disturbs nobody.
    """
    pids = {mark.process.pid for mark in known}
    for process in processes.all_processes():
        program = processes.program_of(process.pid)
        if program in _KUBERNETES and process.pid not in pids and processes.shares_our_network(process.pid):
            yield process.pid, program


def traces_are_ours(layout: Layout, records: Iterable[Record | None], marked: Iterable[Marked]) -> bool:
    """Whether what a Kubernetes left here may go with the cluster in `layout`.

    `records` and `marked` are as they were before anything was stopped. A copy of ours with another state folder is a
    foreign Kubernetes too.
    """
    ours = tuple(mark for mark in marked if mark.state == str(layout.state))
    ran = {mark.component for mark in ours} | {record.component for record in records if record is not None}
    return not ran.isdisjoint(_LEAVES_TRACES) and not any(foreign_kubernetes(ours))
