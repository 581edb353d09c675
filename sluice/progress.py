"""Says what long work is doing: what, how many of how many, how long so far.

On a terminal a step shows a line that counts seconds; elsewhere a step prints when half a minute has passed, every half
minute from then on, and when it ends, so that a log of a build that hangs says where. Everything goes to standard
error: standard output is for data.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

_HEARTBEAT_SECONDS = 30.0


@dataclass(slots=True)
class Step:
    """One running step. Set `detail` to say how far it is; it shows beside the title while the step runs."""

    label: str
    detail: str = ""
    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        detail = f", {self.detail}" if self.detail else ""
        return f"{self.label}: {elapsed(time.monotonic() - self.began)}{detail}"


class Progress:
    """Reports the steps of one piece of work to a person.

    `Progress()` writes to standard error; `Progress(quiet=True)` writes nothing.
    """

    def __init__(self, *, console: Console | None = None, quiet: bool = False) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)

    def say(self, text: str) -> None:
        """Print one line that is true now."""
        self._console.print(text, markup=False)

    @contextmanager
    def step(self, title: str, *, number: int | None = None, total: int | None = None) -> Iterator[Step]:
        """Time the work inside the block under `title`; `number` of `total` says how far along it is."""
        step = Step(f"[{number}/{total}] {title}" if number is not None else title)
        try:
            if self._console.is_terminal:
                with self._console.status("") as status, _every(0.25, lambda: status.update(Text(str(step)))):
                    yield step
            else:
                with _every(_HEARTBEAT_SECONDS, lambda: self.say(f"{step} ...")):
                    yield step
        except BaseException:
            self.say(f"{step}: failed")
            raise
        self.say(str(step))


def elapsed(seconds: float) -> str:
    """A duration for a person: `4.2 s`, `3 min 7 s`."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


@contextmanager
def _every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Call `act` every so many seconds while the block runs."""
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(seconds):
            act()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
