"""Keeps what was built: folders named after what they hold and the hash of everything they were made from.

A folder appears whole or not at all, whatever interrupts its making; only the newest few of a kind stay. What is kept
and how it is made is left to the callers.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sluice.local.images.errors import DiskSpaceError

_KEPT_OF_A_KIND = 3
_NEEDED_MIB = 600
_UNFINISHED = ".unfinished-"


class Store:
    """The folder of built layers and images; `folder` is made when it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the folder for this process, waiting for another build to end, and clear what a killed one left.

        `on_wait` is called when there is another build to wait for. Raises DiskSpaceError when the disk is, or becomes,
        full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            try:
                yield
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise self._full() from error
                raise
            self._prune()

    def find(self, kind: str, key: str) -> Path | None:
        """The folder of `kind` made under `key`, if it was; being asked for counts as use."""
        found = self.folder / f"{kind}-{key}"
        if not found.is_dir():
            return None
        # Someone else's folder, root's for example, can be used but not marked.
        with suppress(PermissionError):
            os.utime(found)
        return found

    def make(self, kind: str, key: str, fill: Callable[[Path], None]) -> Path:
        """The folder of `kind` under `key`, filled by `fill` if it is not there yet. Call it while `locked`."""
        found = self.find(kind, key)
        if found is not None:
            return found
        if _free_mib(self.folder) < _NEEDED_MIB:
            raise self._full()
        with self.scratch() as scratch:
            content = scratch / "content"
            content.mkdir()
            try:
                fill(content)
            except Exception as error:
                # A program that ran out of space says so in its own words; the disk says it in ours.
                if _free_mib(self.folder) < 1:
                    raise self._full() from error
                raise
            finished = self.folder / f"{kind}-{key}"
            content.rename(finished)
        return finished

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the same disk that is gone afterwards, readable by its owner alone."""
        scratch = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def size_bytes(self) -> int:
        """What everything kept takes on the disk, in bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def _prune(self) -> None:
        kinds: dict[str, list[Path]] = {}
        for folder in self.folder.iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                kinds.setdefault(folder.name.rpartition("-")[0], []).append(folder)
        for folders in kinds.values():
            folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
            for old in folders[_KEPT_OF_A_KIND:]:
                shutil.rmtree(old)

    def _full(self) -> DiskSpaceError:
        return DiskSpaceError(self.folder, free_mib=_free_mib(self.folder), needed_mib=_NEEDED_MIB)


def key_of(*parts: str | bytes) -> str:
    """A name for something made from `parts`: other parts, or the same in another order, give another name."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()[:24]


def _free_mib(folder: Path) -> int:
    return shutil.disk_usage(folder).free // 2**20
