"""Brings the cluster down: pods first, then what served them, then everything they left on the machine.

It works from whatever is left: records, marks in processes' environments, mounts, rules. The objects in etcd, the
images and the certificates stay for the next `up`, unless asked otherwise.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from sluice.local.cluster import containers, lock, network, ownership, preflight, processes, records
from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import LeftBehind
from sluice.local.cluster.layout import Layout
from sluice.local.cluster.records import Marked, Record
from sluice.progress import Progress

_GRACE_SECONDS = 10.0
# The API server keeps nothing, and would wait a minute for those that watch it to hang up.
_API_SERVER_GRACE_SECONDS = 2.0
# The kubelet first, or it starts again what we end. Then those that talk to the API server, which goes before its etcd.
_ORDER: tuple[tuple[Name, ...], ...] = (
    (Name.CONTAINERD, Name.DNS, Name.PROXY, Name.SCHEDULER, Name.CONTROLLER_MANAGER),
    (Name.API_SERVER,),
    (Name.ETCD,),
)


def down(progress: Progress, state: Path, *, purge: bool = False) -> None:
    """Stop everything of the cluster in `state`, also what a killed run left; with `purge` remove its files as well.

    Nothing running is no mistake. Raises NotRoot, Busy, ProgramFailed, and LeftBehind for what would not go.
    """
    layout = Layout(state)
    preflight.check_root("stopping")
    preflight.check_state_folder(layout)
    layout.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    with lock.held(layout.lock):
        _stop(progress, layout)
        if purge:
            _purge(progress, layout)


def orphans(layout: Layout, ours: Iterable[Marked], known: Iterable[Record | None]) -> tuple[Marked, ...]:
    """Return components of this cluster that run without a record: a run was killed between starting and noting one."""
    recorded = {record.process for record in known if record is not None}
    shims = {mark.process for mark in containers.shims(layout)}
    return tuple(
        mark
        for mark in ours
        if mark.process not in recorded and mark.process not in shims and _leads_a_session(mark.process.pid)
    )


def _stop(progress: Progress, layout: Layout) -> None:
    known = {name: record for name in Name if (record := records.load(layout, name)) is not None}
    marked = preflight.look()
    ours = preflight.ours(layout, marked)
    running = [name for name, record in known.items() if processes.is_running(record.process)]
    lost = orphans(layout, ours, known.values())
    if running or lost:
        with progress.step("stopping the pods"):
            stop_components(known, (Name.KUBELET,))
            containers.stop_all(layout)
            if Name.CONTAINERD in running:
                containers.forget_all(layout)
        with progress.step(f"stopping {len(running) + len(lost)} components"):
            for names in _ORDER:
                stop_components(known, names)
            processes.stop([mark.process for mark in lost], grace_seconds=_GRACE_SECONDS)
    # Ours have ended, so a kubelet that runs now is somebody else's.
    kubernetes = ownership.traces_are_ours(layout, known.values(), marked)
    with progress.step("clearing up"):
        containers.clear(layout, kubernetes=kubernetes)
        # Whatever still carries our mark: a helper program of a component that did not end with it.
        processes.kill([mark.process for mark in preflight.ours(layout, preflight.look())])
        # There is one network on a machine: while a copy with another state folder runs, it is that copy's.
        shared = any(mark.state != str(layout.state) for mark in marked)
        if not shared:
            network.take_down(layout, kubernetes=kubernetes)
    left = containers.leftovers(layout, kubernetes=kubernetes)
    if not shared:
        left = (*left, *network.leftovers(layout, kubernetes=kubernetes))
    if left:
        raise LeftBehind(left)
    # Last: they are what tells the next try that the traces are ours.
    for name in Name:
        records.forget(layout, name)


def stop_components(known: Mapping[Name, Record], names: Collection[Name]) -> None:
    """End those components of `names` that run, and return when they are gone."""
    for grace_seconds, wanted in (
        (_GRACE_SECONDS, [name for name in names if name is not Name.API_SERVER]),
        (_API_SERVER_GRACE_SECONDS, [name for name in names if name is Name.API_SERVER]),
    ):
        processes.stop([known[name].process for name in wanted if name in known], grace_seconds=grace_seconds)


def _purge(progress: Progress, layout: Layout) -> None:
    with progress.step("removing the cluster's files"):
        for path in layout.written:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False
