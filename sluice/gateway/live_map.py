"""One ConfigMap as it is now: by the watch, or by its mounted files while the API server cannot be heard.

The mounted files lag behind the cluster and do not say by how much. So they count only before the cluster was first
heard, or when they bring what it cannot have said before: an old file must not undo a rollback that the watch brought.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum

import orjson

from sluice.gateway.mounted_map import MapContent

MOUNT_LAG_SECONDS = 180.0
"""The kubelet brings a change within its sync period and its cache's delay, 60 to 90 seconds; this is twice that."""

_REMEMBERED = 1024


class Source(StrEnum):
    """Where content comes from."""

    WATCH = "watch"
    FILE = "file"


class LiveMap:
    """Decides between two tellers of one ConfigMap. None as content means that there is no such ConfigMap."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watched: MapContent | None = None
        self._mounted: MapContent | None = None
        self._mounted_at = 0.0
        self._heard_at: float | None = None
        self.is_heard = False
        """Whether the API server can be heard."""
        self._told: OrderedDict[bytes, None] = OrderedDict()

    def hear(self, content: MapContent | None) -> None:
        """Take what the API server says now. Whatever is mounted at this moment is not newer."""
        self._watched = content
        self._remember(content)
        self.hear_no_change()

    def hear_no_change(self) -> None:
        """Note that the API server was heard, and that what it said last still holds."""
        self._remember(self._mounted)
        self._heard_at = self._clock()
        self.is_heard = True

    def lose(self) -> None:
        """Note that the API server cannot be heard."""
        self.is_heard = False

    def see_mounted(self, content: MapContent | None) -> None:
        """Take what is mounted now, when it has changed."""
        self._mounted = content
        self._mounted_at = self._clock()

    @property
    def source(self) -> Source:
        """Who counts at the moment."""
        if self._heard_at is None:
            return Source.FILE
        return Source.FILE if not self.is_heard and self._mounted_is_news(self._heard_at) else Source.WATCH

    @property
    def content(self) -> MapContent | None:
        """What the ConfigMap says at the moment."""
        return self._watched if self.source is Source.WATCH else self._mounted

    def _mounted_is_news(self, heard_at: float) -> bool:
        if self._mounted is None:
            return False
        # A file that changes long after the cluster fell silent is no latecomer, even if it says what was said before:
        # somebody has gone back to it.
        return _digest(self._mounted) not in self._told or self._mounted_at - heard_at > MOUNT_LAG_SECONDS

    def _remember(self, content: MapContent | None) -> None:
        digest = _digest(content)
        self._told[digest] = None
        self._told.move_to_end(digest)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _digest(content: MapContent | None) -> bytes:
    said = None if content is None else [content.data, sorted(content.unreadable)]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
