"""A mounted file that may change while the process runs, noticed by looking at it twice a second.

The kubelet swaps a ConfigMap or Secret by a symbolic link, which inotify on the file would miss; `stat` follows it.
All looking and reading happens in a thread, so that a slow file system never holds up a request.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.gateway import log

POLL_SECONDS = 0.5


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
            if _identity(self.path.stat()) == self._seen:
                return None
            with self.path.open("rb") as file:
                # The identity is taken before reading: a write in between then shows as a change at the next look.
                self._seen = _identity(os.fstat(file.fileno()))
                return FileContent(file.read())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if reason == self._seen:
                return None
            self._seen = reason
            return FileContent(None, reason)


async def refresh_forever(refreshes: Sequence[Callable[[], None]], poll_seconds: float = POLL_SECONDS) -> None:
    """Call each of `refreshes` in a thread, again and again, until cancelled; one that raises is called again too."""
    while True:
        await asyncio.sleep(poll_seconds)
        for refresh in refreshes:
            try:
                await asyncio.to_thread(refresh)
            except Exception as error:  # noqa: BLE001 -- the watch must outlive whatever a file does to its reader
                log.error("refresh failed", exception=error)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
