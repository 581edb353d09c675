"""Several workers behind one port: a parent that starts them, replaces one that dies, and adds up what they count.

The parent serves metrics and nothing else. Workers are processes of their own that accept from one listening socket,
so that a worker which goes away takes no waiting connection with it. What they count lies in files of a folder, as
prometheus_client's multiprocess mode has it; a dead worker's counts stay.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from sluice.gateway import log
from sluice.gateway.process_settings import ProcessSettings

_LISTENER_VARIABLE = "SLUICE_GATEWAY_WORKER_LISTENER"
"""Set for a worker alone: the number of the listening socket that it inherits."""

_PARENT_VARIABLE = "SLUICE_GATEWAY_WORKER_PARENT"

_METRICS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it when it is imported
_LOOK_SECONDS = 0.1
_STARTED_AFTER_SECONDS = 5.0
_MOST_FAILED_STARTS = 3


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.monotonic)


class Workers(Collector):
    """The workers of one gateway, and the collector of how many there are."""

    def __init__(self, settings: ProcessSettings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._metrics_folder = tempfile.TemporaryDirectory(prefix="sluice-metrics-")
        self._running: list[_Worker] = []
        self._signalled = 0
        self._failed_starts = 0
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, path=self._metrics_folder.name)  # type: ignore[no-untyped-call]
        self.registry.register(self)

    def run(self) -> int:
        """Run until a signal has ended every worker; return 0, or the exit code of workers that cannot start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_signal)
        for _ in range(self._settings.workers):
            self._running.append(self._start())
        sent, exit_code = 0, 0
        while self._running:
            while sent < self._signalled:
                sent += 1
                for worker in self._running:
                    worker.process.terminate()
            for worker in [worker for worker in self._running if worker.process.poll() is not None]:
                self._running.remove(worker)
                ended = self._ended(worker)
                exit_code = exit_code or ended
            time.sleep(_LOOK_SECONDS)
        self._metrics_folder.cleanup()
        return exit_code

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give how many workers there are, and what they hold in memory together."""
        yield GaugeMetricFamily("sluice_workers", "Worker processes that run.", value=len(self._running))
        yield GaugeMetricFamily(
            "sluice_workers_resident_memory_bytes",
            "Resident memory of the worker processes together; what they share counts once in each.",
            value=sum(_resident_bytes(worker.process.pid) for worker in self._running),
        )

    def _start(self) -> _Worker:
        environment = {
            **os.environ,
            _LISTENER_VARIABLE: str(self._listener.fileno()),
            _PARENT_VARIABLE: str(os.getpid()),
            _METRICS_FOLDER_VARIABLE: self._metrics_folder.name,
            # A worker stands for itself where replicas divide what is allowed to all.
            "SLUICE_REPLICAS": str(self._settings.replicas * self._settings.workers),
        }
        command = (sys.executable, "-m", "sluice.gateway")
        return _Worker(subprocess.Popen(command, env=environment, pass_fds=(self._listener.fileno(),)))

    def _ended(self, worker: _Worker) -> int:
        """Take note of a worker's end and replace it where it should still run; return the exit code it gives us."""
        mark_process_dead(worker.process.pid, self._metrics_folder.name)  # type: ignore[no-untyped-call]
        code = worker.process.returncode
        if self._signalled:
            # By the signal itself ends one that had not come so far as to answer anybody.
            return 0 if code in (0, -signal.SIGTERM) else 1
        log.error("worker died", pid=worker.process.pid, exit_code=code)
        if time.monotonic() - worker.began < _STARTED_AFTER_SECONDS:
            self._failed_starts += 1
        else:
            self._failed_starts = 0
        if self._failed_starts >= _MOST_FAILED_STARTS:
            # Not to be mended from here: the pod's restarts show it, and space themselves out.
            self._signalled += 1
            return code if code > 0 else 1
        self._running.append(self._start())
        return 0

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._signalled += 1


def inherited_listener() -> socket.socket | None:
    """Return the socket that this worker shares with the others; None in a process that is no worker."""
    number = os.environ.get(_LISTENER_VARIABLE)
    if number is None:
        return None
    listener = socket.socket(fileno=int(number))
    listener.setblocking(False)
    return listener


def parent_is_gone() -> bool:
    """Whether this is a worker whose parent has ended: nobody is left to tell it to stop."""
    parent = os.environ.get(_PARENT_VARIABLE)
    return parent is not None and os.getppid() != int(parent)


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):  # it has just ended
        return 0
    return int(pages) * os.sysconf("SC_PAGESIZE")
