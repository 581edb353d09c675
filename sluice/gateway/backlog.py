"""What could not be written to the shared store yet: kept by this replica, bounded, and written when the store is back.

A process that dies meanwhile takes it along; that is what a lost store may cost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from sluice.gateway.store import StoreAway

MOST_WRITES = 200

Write = Callable[[], Awaitable[None]]


class Backlog:
    """Writes in their order; beyond the most, the oldest goes."""

    def __init__(self, most_writes: int = MOST_WRITES) -> None:
        self._waiting: deque[Write] = deque(maxlen=most_writes)

    def __len__(self) -> int:
        return len(self._waiting)

    async def write(self, write: Write) -> None:
        """Write now, or keep it for later."""
        try:
            await write()
        except StoreAway:
            self._waiting.append(write)

    async def flush(self) -> None:
        """Write what waits, as far as the store answers."""
        while self._waiting:
            write = self._waiting[0]
            try:
                await write()
            except StoreAway:
                return
            if self._waiting and self._waiting[0] is write:
                self._waiting.popleft()
