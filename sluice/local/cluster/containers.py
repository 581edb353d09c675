"""The containers' side: importing the sandbox image, ending what runs, and clearing what a killed run left behind.

A container's process is known by its root, which is an overlay in our state folder; so neither a lost containerd nor a
lost shim hides it, and no other engine's container can be mistaken for ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from sluice.local.cluster import processes, records, sandbox_image
from sluice.local.cluster.components import Name, system_program
from sluice.local.cluster.errors import ProgramFailed
from sluice.local.cluster.layout import SANDBOX_IMAGE, Layout
from sluice.local.cluster.processes import Process

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_SHIM = "containerd-shim"
_SHIM_SOCKETS = Path("/run/containerd/s")
_POD_LOG_LINKS = Path("/var/log/containers")
# The one path that the kubelet takes from a constant and not from its root folder.
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_GRACE_SECONDS = 8.0


def import_sandbox_image(layout: Layout, program: Path) -> None:
    """Bring the sandbox image into containerd, which must run; nothing happens when it has it. Raises ProgramFailed."""
    image = sandbox_image.pack(program)
    listed = _ctr(layout, "images", "list", f"name=={SANDBOX_IMAGE}")
    if image.digest in listed:
        return
    _ctr(layout, "images", "import", "-", given=image.archive)


def stop_all(layout: Layout) -> None:
    """End every container: ask its first process, then kill what is left. containerd, where it runs, sees them go."""
    running = tuple(container_processes(layout.state))
    processes.stop([process for process in running if _is_first(process.pid)], grace_seconds=_GRACE_SECONDS)
    processes.kill(tuple(container_processes(layout.state)))


def forget_all(layout: Layout) -> None:
    """Have containerd, which must run, drop its records of containers; the images stay."""
    for kind, extra in (("tasks", ("--force",)), ("containers", ())):
        with contextlib.suppress(ProgramFailed):  # what it cannot drop it finds dead at its next start
            found = _ctr(layout, kind, "list", "--quiet").split()
            if found:
                _ctr(layout, kind, "delete", *extra, *found)


def clear(layout: Layout, *, kubernetes: bool) -> None:
    """Remove what is left when nothing of ours runs any more: shims, mounts, sockets, links to logs.

    With `kubernetes`, also what every kubelet leaves under the same name: the pods' cgroups and kubelet.sock.
    """
    processes.kill(tuple(container_processes(layout.state)))
    processes.kill(tuple(mark.process for mark in shims(layout)))
    _unmount(mounts_below(layout.state, _own_mounts()))
    _remove_shim_sockets(layout)
    shutil.rmtree(layout.containerd_run, ignore_errors=True)
    layout.containerd_socket.unlink(missing_ok=True)
    _remove_log_links(layout)
    if kubernetes:
        for path in _pod_cgroups():
            _remove_cgroup(path)
        _remove_device_plugins()


def leftovers(layout: Layout, *, kubernetes: bool) -> tuple[str, ...]:
    """Return what of the containers is still there, in words; `kubernetes` as for `clear`."""
    found = [f"process {process.pid} of a container" for process in container_processes(layout.state)]
    found += [f"the mount {path}" for path in mounts_below(layout.state, _own_mounts())]
    found += [f"the cgroup {path}" for path in _pod_cgroups() if kubernetes]
    return tuple(found)


def shims(layout: Layout) -> Iterator[records.Marked]:
    """Yield the processes that stand between containerd and a container."""
    for mark in records.marked_processes():
        is_shim = (processes.program_of(mark.process.pid) or "").startswith(_SHIM)
        if mark.state == str(layout.state) and mark.component == Name.CONTAINERD and is_shim:
            yield mark


def container_processes(state: Path) -> Iterator[Process]:
    """Yield every process whose root file system is a container's below `state`."""
    for process in processes.all_processes():
        folder = _PROC / str(process.pid)
        try:
            cgroups = (folder / "cgroup").read_text(encoding="utf-8", errors="replace")
            mounts = (folder / "mountinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if is_in_pods(cgroups) and root_is_below(state, mounts):
            yield process


def is_in_pods(cgroups: str) -> bool:
    """Whether a process with this /proc/PID/cgroup belongs to the pods of this machine's kubelet.

    The pods of a cluster inside a container have that container's cgroup before "kubepods".
    """
    return any(line.split(":", 2)[-1].startswith("/kubepods/") for line in cgroups.splitlines())


def root_is_below(state: Path, mountinfo: str) -> bool:
    """Whether the root of a process with this /proc/PID/mountinfo is an overlay whose upper folder is below `state`."""
    for line in mountinfo.splitlines():
        fields = line.split()
        if len(fields) > 4 and fields[4] == "/":
            options = line.rpartition(" - ")[2].split()[-1].split(",")
            return any(option.startswith(f"upperdir={state}/") for option in options)
    return False


def mounts_below(state: Path, mountinfo: str) -> tuple[Path, ...]:
    """Return the mount points below `state`, the last mounted first."""
    points = [Path(fields[4]) for line in mountinfo.splitlines() if len(fields := line.split()) > 4]
    return tuple(reversed([point for point in points if state in point.parents]))


def _own_mounts() -> str:
    return (_PROC / "self/mountinfo").read_text(encoding="utf-8")


def _is_first(pid: int) -> bool:
    try:
        status = (_PROC / str(pid) / "status").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines())


def _unmount(points: Iterable[Path]) -> None:
    for point in points:
        # Lazily: what still holds a file open there is about to end, and must not keep the rest from going.
        subprocess.run([system_program("umount"), "--lazy", str(point)], check=False, capture_output=True)


def _remove_shim_sockets(layout: Layout) -> None:
    # They lie under a hash, beside other engines'; each container's folder names its own.
    for note in layout.containerd_run.glob("io.containerd.runtime.v2.task/*/*/address"):
        socket = Path(note.read_text(encoding="utf-8").strip().removeprefix("unix://"))
        socket.unlink(missing_ok=True)
    for folder in (_SHIM_SOCKETS, _SHIM_SOCKETS.parent):
        with contextlib.suppress(OSError):  # another engine's are in it
            folder.rmdir()


def _pod_cgroups() -> tuple[Path, ...]:
    return tuple(path for root in (_CGROUPS, *_CGROUPS.glob("*")) if (path := root / "kubepods").is_dir())


def _remove_cgroup(path: Path) -> None:
    """Remove an empty tree of cgroups. The kernel refuses one with a process in it, so nobody's can be lost."""
    if not path.is_dir():
        return
    end = time.monotonic() + 3.0
    while path.is_dir():
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        if not path.is_dir() or time.monotonic() > end:
            return
        time.sleep(0.05)  # a cgroup counts as busy for a moment after its last process


def _remove_log_links(layout: Layout) -> None:
    for link in _POD_LOG_LINKS.glob("*"):
        if link.is_symlink() and layout.state in link.readlink().parents:
            link.unlink()
    with contextlib.suppress(OSError):
        _POD_LOG_LINKS.rmdir()


def _remove_device_plugins() -> None:
    (_DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    for folder in (_DEVICE_PLUGINS, _DEVICE_PLUGINS.parent):
        with contextlib.suppress(OSError):  # another kubelet's files are in it
            folder.rmdir()


def _ctr(layout: Layout, *arguments: str, given: bytes | None = None) -> str:
    command = (system_program("ctr"), "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *arguments)
    done = subprocess.run(command, check=False, capture_output=True, input=given)
    if done.returncode != 0:
        raise ProgramFailed(("ctr", *arguments), done.stderr.decode(errors="replace"))
    return done.stdout.decode()
