"""What is done after an answer was given: bounded queues of it, and the workers that do it.

Nothing here may slow an answer or grow without end, so a full queue drops what comes and counts it. What is important
(an output that its caller was told a person will look at) may use the last fifth, which the rest may not. Each kind
waits in the line of what it needs: of what needs the store much is begun at a time, so that its commands go together;
of what computes little, so that requests have their turn; what waits for others' models holds nothing up. What is to be
computed before the store is asked goes through `computed`, by two at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from sluice.gateway import log
from sluice.gateway.gathered import MOST_TOGETHER

MOST_THINGS = 1000
MOST_BYTES = 16 * 1024**2
_SHARE_FOR_ALL = 0.8
_COMPUTING_AT_A_TIME = 2

Work = Callable[[], Awaitable[None]]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Line:
    """Kinds that wait in one line: their part of both limits, and how many of them are done at a time."""

    kinds: tuple[str, ...]
    part: float
    at_a_time: int


_LINES = (
    _Line(("users",), part=0.25, at_a_time=MOST_TOGETHER),  # gates judge by them, and to count them computes nothing
    _Line(("review", "capture", "cache"), part=0.5, at_a_time=MOST_TOGETHER),
    _Line(("score",), part=0.25, at_a_time=2),
    _Line(("judge",), part=0.05, at_a_time=2),  # what waits longer for a model is not worth its memory
)
KINDS = tuple(kind for line in _LINES for kind in line.kinds)


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
        self._computing = asyncio.Semaphore(_COMPUTING_AT_A_TIME)
        self._queues = [
            _Queue(
                max(1, int(most_things * line.part)),
                int(most_bytes * line.part),
                line.at_a_time,
                self._dropped,
                self._waiting_gauge,
            )
            for line in _LINES
        ]
        self._queue_of = {kind: queue for line, queue in zip(_LINES, self._queues, strict=True) for kind in line.kinds}

    @property
    def busy(self) -> bool:
        """Whether something waits or is being done."""
        return any(queue.busy for queue in self._queues)

    def add(self, kind: str, size_bytes: int, work: Work, *, important: bool = False) -> bool:
        """Take `work` to be done soon, holding `size_bytes` until then. False, and counted, where there is no room."""
        return self._queue_of[kind].add(_Thing(kind, size_bytes, work), share=1.0 if important else _SHARE_FOR_ALL)

    async def computed(self, compute: Callable[[], Result], *, on_loop: bool) -> Result:
        """Return what a part of the work computes, on the loop or in a thread: few at a time, and requests between."""
        async with self._computing:
            result = compute() if on_loop else await asyncio.to_thread(compute)
            await asyncio.sleep(0)
            return result

    def open(self) -> None:
        """Begin to work."""
        for queue in self._queues:
            queue.open()

    async def close(self, seconds: float) -> None:
        """Do what waits, for so many seconds at most, and count the rest as dropped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.busy:
                    await asyncio.sleep(0.01)
        undone = sum([await queue.close() for queue in self._queues])
        if undone:
            log.warning("stopped with work undone", things=undone)
        self._waiting_gauge.set(0)


class _Queue:
    """One queue, bounded by count and bytes, and its workers."""

    def __init__(self, most_things: int, most_bytes: int, at_a_time: int, dropped: Counter, waiting: Gauge) -> None:
        self._most_things = most_things
        self._most_bytes = most_bytes
        self._at_a_time = at_a_time
        self._dropped = dropped
        self._waiting_gauge = waiting
        self._waiting: deque[_Thing] = deque()
        self._bytes = 0
        self._working = 0
        self._come = asyncio.Semaphore(0)
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
        self._come.release()  # wakes one worker, and not all that wait
        return True

    def open(self) -> None:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._at_a_time)]

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
            await self._come.acquire()
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
