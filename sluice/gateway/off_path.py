"""What is done after an answer was given: bounded queues of it, and the workers that do it.

Nothing here may slow an answer or grow without end, so a full queue drops what comes and counts it. What is important
(an output that its caller was told a person will look at) may use the last fifth, which scores may not. What waits for
others' models goes another way, where it holds nothing up.
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
_SHARE_FOR_ALL = 0.8
_SLOW_PART = 0.05
"""Of both limits, what the slow queue may take besides: what waits longer there is not worth its memory."""
_WORKERS = 2

KINDS = ("score", "review", "capture", "judge", "cache", "users")
_SLOW = frozenset({"judge"})

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Thing:
    kind: str
    size_bytes: int
    work: Work


class OffPath:
    """The queues of one process. `open` and `close` frame their use, inside the running loop."""

    def __init__(
        self, registry: CollectorRegistry, *, most_things: int = MOST_THINGS, most_bytes: int = MOST_BYTES
    ) -> None:
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
        self._quick = _Queue(most_things, most_bytes, self._dropped, self._waiting_gauge)
        self._slow = _Queue(
            max(1, int(most_things * _SLOW_PART)), int(most_bytes * _SLOW_PART), self._dropped, self._waiting_gauge
        )

    @property
    def busy(self) -> bool:
        """Whether something waits or is being done."""
        return self._quick.busy or self._slow.busy

    def add(self, kind: str, size_bytes: int, work: Work, *, important: bool = False) -> bool:
        """Take `work` to be done soon, holding `size_bytes` until then. False, and counted, where there is no room."""
        queue = self._slow if kind in _SLOW else self._quick
        return queue.add(_Thing(kind, size_bytes, work), share=1.0 if important else _SHARE_FOR_ALL)

    def open(self) -> None:
        """Begin to work."""
        self._quick.open()
        self._slow.open()

    async def close(self, seconds: float) -> None:
        """Do what waits, for so many seconds at most, and count the rest as dropped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.busy:
                    await asyncio.sleep(0.01)
        undone = await self._quick.close() + await self._slow.close()
        if undone:
            log.warning("stopped with work undone", things=undone)
        self._waiting_gauge.set(0)


class _Queue:
    """One queue, bounded by count and bytes, and its workers."""

    def __init__(self, most_things: int, most_bytes: int, dropped: Counter, waiting: Gauge) -> None:
        self._most_things = most_things
        self._most_bytes = most_bytes
        self._dropped = dropped
        self._waiting_gauge = waiting
        self._waiting: deque[_Thing] = deque()
        self._bytes = 0
        self._working = 0
        self._come = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._working)

    def add(self, thing: _Thing, *, share: float) -> bool:
        full = len(self._waiting) >= self._most_things * share or (
            self._bytes + thing.size_bytes > self._most_bytes * share
        )
        if full:
            self._dropped.labels(thing.kind).inc()
            return False
        self._waiting.append(thing)
        self._bytes += thing.size_bytes
        self._waiting_gauge.inc()
        self._come.set()
        return True

    def open(self) -> None:
        self._workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]

    async def close(self) -> int:
        """Stop at once, and return how much was not begun."""
        for worker in self._workers:
            worker.cancel()
        for worker in self._workers:
            with suppress(asyncio.CancelledError):
                await worker
        undone = len(self._waiting)
        for thing in self._waiting:
            self._dropped.labels(thing.kind).inc()
        self._waiting.clear()
        return undone

    async def _work(self) -> None:
        while True:
            if not self._waiting:
                self._come.clear()
                await self._come.wait()
                continue
            thing = self._waiting.popleft()
            self._waiting_gauge.dec()
            self._working += 1
            try:
                await thing.work()
            except asyncio.CancelledError:
                self._dropped.labels(thing.kind).inc()
                raise
            except Exception as error:  # noqa: BLE001 -- one thing undone must not stop those after it
                self._dropped.labels(thing.kind).inc()
                log.error("work after an answer failed", exception=error, kind=thing.kind)
            finally:
                self._working -= 1
                self._bytes -= thing.size_bytes
            await asyncio.sleep(0)  # requests first
