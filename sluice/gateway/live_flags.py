"""What the cluster says of flags and override at this moment, brought into force whenever it changes.

Two tell it: the watch on the API server, within a second, and the mounted files, within a minute or two. `LiveMap`
decides whose word counts for each ConfigMap; `Flags` takes it over, all those with flags as one. Everything here runs
in threads, because checking a thousand flags takes longer than a request may wait.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sluice.gateway import log
from sluice.gateway.flags import Flags
from sluice.gateway.live_map import LiveMap, Source
from sluice.gateway.metrics import Metrics
from sluice.gateway.mounted_map import MapContent, MountedMap
from sluice.override import NAME as OVERRIDE

FLAGS = "flags"
"""What the ConfigMap of the flags is called, in every environment's namespace; where there are more, `flags-1` ..."""


class LiveFlags:
    """The ConfigMaps, by name, and who counts for each. Any thread may call it."""

    def __init__(self, folder: Path, flags: Flags, metrics: Metrics, flag_maps: int = 1) -> None:
        self._flags = flags
        self._metrics = metrics
        self._flag_maps = (FLAGS, *(f"{FLAGS}-{number}" for number in range(1, flag_maps)))
        self._mounts = {name: MountedMap(folder / name) for name in (*self._flag_maps, OVERRIDE)}
        self._maps = {name: LiveMap() for name in self._mounts}
        self._in_force: dict[str, MapContent | None] = {}
        self._not_mounted_because: dict[str, str] = {}
        self._looking = threading.Lock()
        self._deciding = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The ConfigMaps to watch."""
        return tuple(self._maps)

    def refresh(self) -> None:
        """Look at the mounted files and take over what is new in them."""
        with self._looking:  # files are read before the other lock is taken, so that slow ones never hold up the watch
            for name, mount in self._mounts.items():
                look = mount.look()
                if look is None:
                    continue
                with self._deciding:
                    if name in self._flag_maps and look.content is None:
                        self._not_mounted_because[name] = f"{mount.folder}: {look.reason}"
                    self._maps[name].see_mounted(look.content)
                    self._decide(name)

    def hear(self, name: str, content: MapContent | None) -> None:
        """Take what the API server says a ConfigMap is now; None where there is none."""
        with self._deciding:
            self._maps[name].hear(content)
            self._decide(name)
        self._metrics.cluster_heard(time.time())

    def hear_no_change(self, name: str) -> None:
        """Note that the API server still says the same."""
        with self._deciding:
            self._maps[name].hear_no_change()
        self._metrics.cluster_heard(time.time())

    def lose(self, name: str) -> None:
        """Note that the API server cannot be heard."""
        with self._deciding:
            self._maps[name].lose()
            self._decide(name)

    def _decide(self, name: str) -> None:
        live = self._maps[name]
        if name not in self._in_force or self._in_force[name] != live.content:
            self._in_force[name] = live.content
            log.info("cluster says", config_map=name, source=live.source)
            if name == OVERRIDE:
                self._flags.take_override(live.content)
            elif self._in_force.keys() >= set(self._flag_maps):
                self._flags.take_flags({name: self._said(name) for name in self._flag_maps})
        heard = all(live.is_heard for live in self._maps.values())
        self._metrics.flags_source(Source.WATCH if heard else Source.FILE, Source)

    def _said(self, name: str) -> MapContent | str:
        """Return what a ConfigMap says, or why it says nothing."""
        content = self._in_force[name]
        if content is not None:
            return content
        from_file = self._maps[name].source is Source.FILE
        return self._not_mounted_because.get(name, "") if from_file else "there is no such ConfigMap"
