"""One up or down at a time on a state folder; the lock of a process that died is nobody's."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sluice.local.cluster.errors import Busy


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock for the block. Raises Busy, at once, when another process holds it."""
    # O_CLOEXEC is Python's default: components started inside the block do not inherit the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            raise Busy(path, holder or "unknown") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
