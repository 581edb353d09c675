"""What runs, on disk: for each component the process it is, and what it was started from.

The record is what a later command knows of a component. Where it is lost, the marks in the processes' environment say
the same, so that nothing of ours runs on unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sluice.local.cluster import processes
from sluice.local.cluster.layout import COMPONENT_MARK, STATE_MARK, Layout, write_if_changed
from sluice.local.cluster.processes import Process


@dataclass(frozen=True, slots=True)
class Record:
    """A component's process, when it started (seconds since 1970) and the digest of what it was started from."""

    component: str
    process: Process
    started_at: float
    digest: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A running process that carries a cluster's marks: its state folder and the component it is or descends from."""

    process: Process
    state: str
    component: str


def save(layout: Layout, record: Record) -> None:
    """Write the record of a component that was started."""
    write_if_changed(_path(layout, record.component), json.dumps(asdict(record), indent=2) + "\n")


def load(layout: Layout, component: str) -> Record | None:
    """Return a component's record, None when there is none or it makes no sense.

    Raises PermissionError where the folder is closed to who asks: that says nothing about the component.
    """
    try:
        content = json.loads(_path(layout, component).read_text(encoding="utf-8"))
        return Record(content["component"], Process(**content["process"]), content["started_at"], content["digest"])
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(layout: Layout, component: str) -> None:
    """Remove the record of a component that was stopped."""
    _path(layout, component).unlink(missing_ok=True)


def digest_of(command: tuple[str, ...], inputs: tuple[Path, ...]) -> str:
    """Return a digest that changes when the command, its program or the content of one of its input files does."""
    digest = hashlib.sha256()
    program = Path(command[0]).resolve()
    found = program.stat()
    for part in (*command, str(program), str(found.st_size), str(found.st_mtime_ns)):
        digest.update(part.encode() + b"\0")
    for path in inputs:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def marked_processes() -> Iterator[Marked]:
    """Yield the running processes of local clusters, whatever their state folder: components and containers' shims.

    A cluster in a network namespace of its own, inside a container for one, is another machine's, even where its state
    folder has the same name.
    """
    for process in processes.all_processes():
        environment = processes.environment_of(process.pid)
        if STATE_MARK in environment and processes.shares_our_network(process.pid):
            yield Marked(process, environment[STATE_MARK], environment.get(COMPONENT_MARK, ""))


def _path(layout: Layout, component: str) -> Path:
    return layout.run / f"{component}.json"
