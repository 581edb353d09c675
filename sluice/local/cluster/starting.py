"""Brings the cluster up: checks, clears what a dead run left, starts what is missing and waits until it works.

What runs is left alone. A component is started again when it died, or when what it was started from has changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sluice.local.cluster import (
    certificates,
    configuration,
    containers,
    kubeconfigs,
    lock,
    logs,
    network,
    node,
    objects,
    ownership,
    pods,
    preflight,
    processes,
    records,
    stopping,
)
from sluice.local.cluster.api import Api
from sluice.local.cluster.components import SYSTEM_PATH, Binaries, Component, Name, Port, check_programs, components
from sluice.local.cluster.errors import ComponentFailed
from sluice.local.cluster.layout import COMPONENT_MARK, STATE_MARK, Layout
from sluice.local.cluster.pods import Pod
from sluice.local.cluster.records import Marked, Record
from sluice.progress import Progress

_HEALTHY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_SHOWN_LINES = 8
# Each stage needs the one before it to work; within a stage all start at once.
_STAGES: tuple[tuple[Name, ...], ...] = (
    (Name.ETCD, Name.CONTAINERD),
    (Name.API_SERVER,),
    (Name.CONTROLLER_MANAGER, Name.SCHEDULER, Name.KUBELET, Name.PROXY, Name.DNS),
)
# A proxy is the way to the images of a machine that has one, so containerd alone gets these.
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Why(StrEnum):
    """Why a component was started again."""

    DIED = "died"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Restart:
    """A component that was started again, and why."""

    component: str
    why: Why


@dataclass(frozen=True, slots=True)
class UpResult:
    """What an `up` did, by the components' names in the order of starting."""

    started: tuple[str, ...]
    found_running: tuple[str, ...]
    restarted: tuple[Restart, ...]


def check(state: Path, *, node_ports: Sequence[int] = ()) -> None:
    """Check what can be known before there are any programs: root, cgroups, other clusters, addresses, disk, ports.

    Disk and ports are checked for components that do not run. `node_ports` are those that Services will have on this
    machine: nothing listens on them, so a program that does would be cut off without a word. Raises what is in the way.
    """
    layout = Layout(state)
    preflight.check_root("starting")
    preflight.check_machine(layout)
    marked = preflight.look()
    preflight.check_neighbours(layout, marked)
    alive = _alive({name: records.load(layout, name) for name in Name})
    preflight.check_missing(layout, (name for name in Name if name not in alive), marked)
    preflight.check_ports(map(Port, node_ports), marked)


def up(binaries: Binaries, progress: Progress, state: Path) -> UpResult:
    """Bring the cluster in `state` up and return when its node takes pods; a second call changes nothing.

    Raises, before anything is started or written, what preflight raises, and Busy; later ComponentFailed, NodeNotReady
    and ProgramFailed.
    """
    layout = Layout(state)
    check(state)
    layout.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    with lock.held(layout.lock):
        return _up(binaries, progress, layout)


def _up(binaries: Binaries, progress: Progress, layout: Layout) -> UpResult:
    parts = components(binaries, layout)
    check_programs(binaries, parts)
    marked = preflight.look()
    before = {part.name: records.load(layout, part.name) for part in parts}
    alive = _alive(before)
    # Again, since building the programs may have taken a quarter of an hour.
    preflight.check_missing(layout, (part.name for part in parts if part.name not in alive), marked)

    orphans = stopping.orphans(layout, preflight.ours(layout, marked), before.values())
    processes.stop([mark.process for mark in orphans], grace_seconds=5.0)
    if not alive:
        _clear_leftovers(progress, layout, tuple(before.values()), marked)
    _prepare(layout)

    changed = {part.name for part in parts if part.name in alive and _is_changed(part, before[part.name])}
    missing = [part for part in parts if part.name not in alive or part.name in changed]
    if changed:
        with progress.step(f"stopping {', '.join(sorted(changed))} for changed settings"):
            stopping.stop_components({name: record for name, record in before.items() if record}, changed)
    pods_before = _start_stages(binaries, progress, layout, parts, missing)
    kubelet_was_away = any(part.name == Name.KUBELET for part in missing)
    _wait_for_node(progress, layout, pods_before if kubelet_was_away else ())
    return UpResult(
        started=tuple(part.name for part in missing if part.name not in changed and not _died(before[part.name])),
        found_running=tuple(part.name for part in parts if part not in missing),
        restarted=tuple(
            Restart(part.name, Why.CHANGED if part.name in changed else Why.DIED)
            for part in missing
            if part.name in changed or _died(before[part.name])
        ),
    )


def _clear_leftovers(
    progress: Progress, layout: Layout, before: Sequence[Record | None], marked: Sequence[Marked]
) -> None:
    # Nothing of ours runs, so whatever of ours is still there was left by a killed run or a reboot.
    traces = any(before) or bool(preflight.ours(layout, marked))
    kubernetes = ownership.traces_are_ours(layout, before, marked)
    left = (*containers.leftovers(layout, kubernetes=kubernetes), *network.leftovers(layout, kubernetes=kubernetes))
    if not traces and not left:
        return
    with progress.step("clearing up what an earlier run left"):
        containers.clear(layout, kubernetes=kubernetes)
        network.take_down(layout, kubernetes=kubernetes)


def _alive(known: Mapping[Name, Record | None]) -> set[Name]:
    return {name for name, record in known.items() if record is not None and processes.is_running(record.process)}


def _prepare(layout: Layout) -> None:
    layout.create()
    logs.bound(layout)
    certificates.ensure(layout.pki)
    kubeconfigs.write_all(layout)
    configuration.write_all(layout)
    network.raise_up(layout)


def _start_stages(
    binaries: Binaries,
    progress: Progress,
    layout: Layout,
    parts: Sequence[Component],
    missing: Sequence[Component],
) -> tuple[Pod, ...]:
    """Start what is missing, stage by stage; return the pods that were ready when the API server answered."""
    pods_before: tuple[Pod, ...] = ()
    by_name = {part.name: part for part in parts}
    stages = [[by_name[name] for name in names] for names in _STAGES]
    for number, stage in enumerate(stages, start=1):
        to_start = [part for part in stage if part in missing]
        if to_start:
            with progress.step(
                f"starting {', '.join(part.name for part in to_start)}", number=number, total=len(stages)
            ):
                for part in to_start:
                    _start(layout, part)
                _wait_until_healthy(layout, stage)
        else:
            _wait_until_healthy(layout, stage)
        if Name.CONTAINERD in (part.name for part in stage):
            containers.import_sandbox_image(layout, binaries.pause)
        if Name.API_SERVER in (part.name for part in stage):
            api = Api(layout.kubeconfig)
            objects.apply(api)
            pods_before = pods.ready_pods(api)
    return pods_before


def _wait_for_node(progress: Progress, layout: Layout, pods_before: tuple[Pod, ...]) -> None:
    kubelet = records.load(layout, Name.KUBELET)
    if kubelet is not None:
        node.wait_until_ready(layout, since=kubelet.started_at, progress=progress)
        pods.wait_until_back(Api(layout.kubeconfig), pods_before, since=kubelet.started_at, progress=progress)


def _start(layout: Layout, part: Component) -> None:
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": str(layout.state),
        "LANG": "C.UTF-8",
        STATE_MARK: str(layout.state),
        COMPONENT_MARK: part.name,
    }
    if part.name == Name.CONTAINERD:
        environment |= {name: os.environ[name] for name in _PROXY_VARIABLES if name in os.environ}
    log = logs.log_file(layout.state, part.name)
    logs.begin(log, part.command)
    began = time.time()
    process = processes.start(part.command, environment=environment, log=log, folder=layout.state)
    records.save(layout, Record(part.name, process, began, records.digest_of(part.command, part.inputs)))


def _wait_until_healthy(layout: Layout, stage: Sequence[Component]) -> None:
    end = time.monotonic() + _HEALTHY_SECONDS
    waiting = list(stage)
    while True:
        waiting = [part for part in waiting if not part.health.is_good()]
        if not waiting:
            return
        for part in waiting:
            record = records.load(layout, part.name)
            if record is None or not processes.is_running(record.process):
                raise _failure(layout, part, "ended while starting")
        if time.monotonic() > end:
            raise _failure(layout, waiting[0], f"is not healthy after {_HEALTHY_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _failure(layout: Layout, part: Component, what: str) -> ComponentFailed:
    log = logs.log_file(layout.state, part.name)
    return ComponentFailed(part.name, what, log=log, last_lines=logs.lines_since_start(log, _SHOWN_LINES))


def _is_changed(part: Component, record: Record | None) -> bool:
    return record is None or record.digest != records.digest_of(part.command, part.inputs)


def _died(record: Record | None) -> bool:
    # Nothing dies of a reboot: after one, everything is simply to be started.
    return record is not None and record.process.boot_id == processes.boot_id()
