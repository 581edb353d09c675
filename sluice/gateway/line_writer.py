"""Writes log lines from a thread: a standard output that is full or slow must not hold up the loop.

Lines are written together, twenty times a second. What comes while ten thousand wait is dropped, and how many were is
the next line that is written.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections import deque

import orjson

_MOST_LINES = 10_000
_SECONDS = 0.05


class LineWriter:
    """The lines of one process, once `start` was called; before that each is written at once."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()
        self._ending = threading.Event()

    def start(self) -> None:
        """Write from a thread from now on, and what is left at the process' end."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    def write(self, line: bytes) -> None:
        """Take a line without its end."""
        if self._thread is None:
            sys.stdout.write(f"{line.decode()}\n")
            sys.stdout.flush()
        elif len(self._lines) >= _MOST_LINES:
            self._dropped += 1
        else:
            self._lines.append(line)

    def close(self) -> None:
        """Write what waits."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(1.0)
        self._flush()

    def _run(self) -> None:
        while not self._ending.wait(_SECONDS):
            self._flush()

    def _flush(self) -> None:
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            dropped, self._dropped = self._dropped, 0
            if dropped:
                lines.append(orjson.dumps({"level": "warning", "event": "log lines dropped", "lines": dropped}))
            if lines:
                sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
                sys.stdout.flush()
