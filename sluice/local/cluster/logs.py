"""The components' logs: where they are, their last lines, following them as they grow, keeping them within bounds."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import UnknownComponent
from sluice.local.cluster.layout import Layout

_STARTED = "---- started at "
_BOUND_BYTES = 8 * 2**20
_POLL_SECONDS = 0.3


def log_file(state: Path, component: str) -> Path:
    """Return the log of a component, whether it exists yet or not. Raises UnknownComponent."""
    if component not in list(Name):
        raise UnknownComponent(component, list(Name))
    return Layout(state).logs / f"{component}.log"


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a file without their line ends; none for a file that is not there."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as stream:
        return [line.rstrip("\n") for line in deque(stream, maxlen=count)]


def begin(path: Path, command: Sequence[str]) -> None:
    """Write into a log where a new process of the component begins, and what it is."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"{_STARTED}{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}: {' '.join(command)}\n")


def lines_since_start(path: Path, count: int) -> list[str]:
    """Return the last lines, `count` at most, that the component's latest process wrote."""
    lines = last_lines(path, count)
    starts = [at for at, line in enumerate(lines) if line.startswith(_STARTED)]
    return lines[starts[-1] + 1 :] if starts else lines


def read(state: Path, components: Sequence[str] = (), *, lines: int = 100, follow: bool = False) -> Iterator[str]:
    """Yield the last `lines` lines of each component's log, each behind the component's name where there are several.

    No components means all of them. With `follow` it goes on with what is written from now on, until it is closed.
    Raises UnknownComponent, before the first line.
    """
    chosen = list(components) or list(Name)
    paths = {component: log_file(state, component) for component in chosen}
    width = max(map(len, chosen))
    prefixes = {component: f"{component:<{width}} | " if len(chosen) > 1 else "" for component in chosen}
    return _read(paths, prefixes, lines=lines, follow=follow)


def bound(layout: Layout) -> None:
    """Keep every log to 8 MiB and one older piece of it: a longer one takes the place of NAME.log.1."""
    for path in layout.logs.glob("*.log"):
        if path.stat().st_size > _BOUND_BYTES:
            # Copied and emptied, not renamed: a component that runs goes on writing to the file it has open.
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)


def _read(paths: dict[str, Path], prefixes: dict[str, str], *, lines: int, follow: bool) -> Iterator[str]:
    ends: dict[str, int] = {}
    for component, path in paths.items():
        ends[component] = path.stat().st_size if path.exists() else 0
        for line in last_lines(path, lines):
            yield f"{prefixes[component]}{line}"
    while follow:
        time.sleep(_POLL_SECONDS)
        for component, path in paths.items():
            new, ends[component] = _written_since(path, ends[component])
            for line in new:
                yield f"{prefixes[component]}{line}"


def _written_since(path: Path, end: int) -> tuple[list[str], int]:
    """Return the whole lines written after `end` bytes, and where the next ones begin."""
    size = path.stat().st_size if path.exists() else 0
    if size < end:  # it was emptied
        end = 0
    if size == end:
        return [], end
    with path.open("rb") as stream:
        stream.seek(end)
        content = stream.read(size - end)
    whole = content.rfind(b"\n") + 1
    return content[:whole].decode(errors="replace").splitlines(), end + whole
