"""A ConfigMap as the kubelet mounts it: a folder with a file for each key.

The mount lags behind the cluster, by a minute or more, and says nothing of its age. `live_map.py` decides when it
counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sluice.gateway.watched_file import file_identity, read_regular_file


@dataclass(frozen=True, slots=True)
class MapContent:
    """What a ConfigMap says: texts by key, and the keys whose value is not a text, each with the reason."""

    data: Mapping[str, str]
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the folder found: its content, or the reason why there is none."""

    content: MapContent | None
    reason: str = ""


class MountedMap:
    """One folder. Not for use by two threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: object = None

    def look(self) -> Look | None:
        """Return what the folder holds when that is new since the last call, otherwise None."""
        try:
            # The kubelet keeps the data itself in folders whose names begin with two dots.
            files = sorted(file for file in self.folder.iterdir() if not file.name.startswith(".."))
        except OSError as error:
            return self._new(error.strerror, Look(None, error.strerror or str(error)))
        identities = {file.name: identity for file in files if (identity := _identity(file)) is not None}
        if identities == self._seen:
            return None
        texts: dict[str, str] = {}
        unreadable: dict[str, str] = {}
        for name in identities:
            try:
                _, content = read_regular_file(self.folder / name)
                texts[name] = content.decode()
            except FileNotFoundError:
                continue  # swapped away while we look; the next look sees another folder
            except UnicodeDecodeError:
                unreadable[name] = "is not UTF-8"
            except OSError as error:
                unreadable[name] = error.strerror or str(error)
        return self._new(identities, Look(MapContent(texts, unreadable)))

    def _new(self, seen: object, look: Look) -> Look | None:
        if seen == self._seen:
            return None
        self._seen = seen
        return look


def _identity(file: Path) -> tuple[int, ...] | None:
    try:
        return file_identity(file.stat())
    except FileNotFoundError:  # a link whose file the kubelet has taken away
        return None
    except OSError:
        return ()
