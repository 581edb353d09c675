"""What is done after an answer was given: a bounded queue of it, and the workers that do it.

Nothing here may slow an answer or grow without end, so a full queue drops what comes and counts it. What is important
(an output that its caller was told a person will look at) may use the last fifth, which scores may not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from sluice.gateway import log

MOST_THINGS = 1000
MOST_BYTES = 16 * 1024**2
_WORKERS = 2
_SHARE_FOR_ALL = 0.8

KINDS = ("score", "review", "capture", "judge", "cache")

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Thing:
    kind: str
    size_bytes: int
    work: Work


class OffPath:
    """The queue of one process. `open` and `close` frame its use, inside the running loop."""

    def __init__(
        self, registry: CollectorRegistry, *, most_things: int = MOST_THINGS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._most_things = most_things
        self._most_bytes = most_bytes
        self._waiting: deque[_Thing] = deque()
        self._bytes = 0
        self._come = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._dropped = Counter(
            "sluice_off_path_dropped", "What was to be done after an answer and was not.", ["kind"], registry=registry
        )
        for kind in KINDS:
            self._dropped.labels(kind)
        self._waiting_gauge = Gauge(
            "sluice_off_path_waiting",
            "What waits to be done after answers.",
            multiprocess_mode="livesum",
            registry=registry,
        )

    def add(self, kind: str, size_bytes: int, work: Work, *, important: bool = False) -> bool:
        """Take `work` to be done soon, holding `size_bytes` until then. False, and counted, where there is no room."""
        share = 1.0 if important else _SHARE_FOR_ALL
        full = len(self._waiting) >= self._most_things * share or self._bytes + size_bytes > self._most_bytes * share
        if full:
            self._dropped.labels(kind).inc()
            return False
        self._waiting.append(_Thing(kind, size_bytes, work))
        self._bytes += size_bytes
        self._waiting_gauge.inc()
        self._come.set()
        return True

    def open(self) -> None:
        """Begin to work."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]

    async def close(self, seconds: float) -> None:
        """Do what waits, for so many seconds at most, and count the rest as dropped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting or self._bytes:
                    await asyncio.sleep(0.01)
        for worker in self._workers:
            worker.cancel()
        for worker in self._workers:
            with suppress(asyncio.CancelledError):
                await worker
        for thing in self._waiting:
            self._dropped.labels(thing.kind).inc()
        if self._waiting:
            log.warning("stopped with work undone", things=len(self._waiting))
        self._waiting.clear()
        self._waiting_gauge.set(0)

    async def _work(self) -> None:
        while True:
            if not self._waiting:
                self._come.clear()
                await self._come.wait()
                continue
            thing = self._waiting.popleft()
            self._waiting_gauge.dec()
            try:
                await thing.work()
            except asyncio.CancelledError:
                self._dropped.labels(thing.kind).inc()
                raise
            except Exception as error:  # noqa: BLE001 -- one thing undone must not stop those after it
                self._dropped.labels(thing.kind).inc()
                log.error("work after an answer failed", exception=error, kind=thing.kind)
            finally:
                self._bytes -= thing.size_bytes
            await asyncio.sleep(0)  # requests first
