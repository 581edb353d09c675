"""The providers' keys, one mounted file each, read again when they change so that a rotation needs no restart.

A key is only ever handed to `upstream.py`; it is never logged, and nothing here prints one. Which one is in use shows
in a metric, as a number that says nothing else of it (`sluice.key_hash`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Gauge

from sluice.gateway import log
from sluice.gateway.watched_file import WatchedFile
from sluice.key_hash import METRIC, key_hash

# What may stand in a header after "Bearer ": a control character or a line break would end the header early.
_USABLE = re.compile(r"[\x21-\x7e]+")


class KeyRing:
    """Keys by the name of their file below `folder`; `providers` names the file of each provider."""

    def __init__(self, folder: Path, providers: Mapping[str, str], registry: CollectorRegistry) -> None:
        self._files = {name: WatchedFile(folder / name) for name in sorted(set(providers.values()))}
        self._keys: dict[str, str] = {}
        self._reading = Lock()
        self._providers = providers
        self._hash = Gauge(
            METRIC,
            "A number that follows from the key in use: where it is the same, so is the key. 0 without a key.",
            ["provider"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        for provider in providers:
            self._hash.labels(provider).set(0)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files, whether or not one could be read."""
        return tuple(self._files)

    def refresh(self) -> None:
        """Read the files that have changed. A file that is gone or unusable leaves the last good key in use."""
        with self._reading:
            self._read()

    async def another(self, name: str, refused: str) -> str | None:
        """Return the key that has come in place of one that was refused, looking now if need be; None if none has."""
        if self.get(name) == refused:
            await asyncio.to_thread(self.refresh)
        key = self.get(name)
        return None if key == refused else key

    def get(self, name: str) -> str | None:
        """Return the key of that file name, or None where none has been readable yet."""
        return self._keys.get(name)

    def _read(self) -> None:
        for name, file in self._files.items():
            found = file.read_if_changed()
            if found is None:
                continue
            if found.content is None:
                log.warning("provider key unreadable", key=name, reason=found.reason, last_good_kept=name in self._keys)
                continue
            key = found.content.strip().decode("ascii", errors="replace")
            if _USABLE.fullmatch(key):
                log.info("provider key loaded", key=name, rotated=name in self._keys)
                self._keys[name] = key
                self._show(name, key)
            else:
                reason = "it is empty" if not key else "it has characters that a header cannot carry"
                log.warning("provider key unusable", key=name, reason=reason, last_good_kept=name in self._keys)

    def _show(self, name: str, key: str) -> None:
        for provider, file in self._providers.items():
            if file == name:
                self._hash.labels(provider).set(key_hash(key))
