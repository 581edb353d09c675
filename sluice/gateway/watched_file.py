"""A mounted file that may change while the process runs, noticed by looking at it twice a second.

The kubelet swaps a ConfigMap or Secret by a symbolic link, which inotify on the file would miss; `stat` follows it.
All looking and reading happens in a thread, so that a slow file system never holds up a request. Only regular files of
a size that Kubernetes allows are read: a pipe in a file's place would hold up the thread for good.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.gateway import log

POLL_SECONDS = 0.5

LARGEST_FILE_BYTES = 1_572_864
"""Half as much again as a ConfigMap or a Secret may hold."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a look at a file found: its bytes, or the reason why there are none."""

    content: bytes | None
    reason: str = ""


class WatchedFile:
    """One file, by its path. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] | str | None = None

    def read_if_changed(self) -> FileContent | None:
        """Return the content when it is new since the last call, also when it has become unreadable; otherwise None."""
        try:
            if file_identity(self.path.stat()) == self._seen:
                return None
            # The identity is taken before reading: a write in between then shows as a change at the next look.
            self._seen, content = read_regular_file(self.path)
            return FileContent(content)
        except OSError as error:
            reason = error.strerror or str(error)
            if reason == self._seen:
                return None
            self._seen = reason
            return FileContent(None, reason)


def read_regular_file(path: Path) -> tuple[tuple[int, ...], bytes]:
    """Return a file's identity before it was read, and its bytes. Never waits for a writer.

    Raises OSError, also for what is not a regular file or is larger than any ConfigMap.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path.name} is not a regular file")
        content = file.read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            raise OSError(f"{path.name} has more than {LARGEST_FILE_BYTES} bytes")
        return file_identity(status), content


def file_identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes whenever a file is written or replaced."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


async def refresh_forever(refreshes: Sequence[Callable[[], None]], poll_seconds: float = POLL_SECONDS) -> None:
    """Call each of `refreshes` in a thread, again and again, until cancelled; one that raises is called again too."""
    while True:
        await asyncio.sleep(poll_seconds)
        for refresh in refreshes:
            try:
                await asyncio.to_thread(refresh)
            except Exception as error:  # noqa: BLE001 -- the watch must outlive whatever a file does to its reader
                log.error("refresh failed", exception=error)
