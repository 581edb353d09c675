"""A rate that all replicas keep together: at most so many requests in any stretch of time of one length.

Redis holds, for each rate, when the latest requests were let through, and its own clock decides: pods' clocks differ
and move. What may come is let through at once; what would have to wait longer than allowed is refused, with the time
after which it is worth trying again. Above a hundred requests a stretch, a replica takes a share of them at a time, so
that busy rates cost no question to Redis for each request. Without Redis each replica keeps its part of the rate by
itself.

The log of a hundred times, not a bucket that fills, because a provider that allows 5 a second counts 5 in any second.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from sluice.gateway.store import Script, SharedStore, StoreAway

_MOST_SLOTS = 100
_LEASE_PART = 0.1
"""The part of a stretch in which a share must be used; what is left of it then is lost, never exceeded."""

# Checks every log before it writes to any: a request that one rate refuses is not counted by another. A log that ends
# further in the future than it can was written before Redis' clock went back, and is thrown away.
_SCRIPT = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at, answer, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local slots, stretch, wait = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local latest = tonumber(redis.call('LINDEX', key, 0) or nil)
  if latest and latest > now + wait + stretch then redis.call('DEL', key) end
  local oldest = tonumber(redis.call('LINDEX', key, slots - 1) or nil)
  at[i] = oldest and math.max(now, oldest + stretch) or now
  answer[i] = at[i] - now
  if answer[i] > tonumber(ARGV[4 * i]) then
    refused = true
    answer[i] = -answer[i]
  end
end
if refused then return answer end
for i, key in ipairs(KEYS) do
  local slots, stretch, wait = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  redis.call('LPUSH', key, string.format('%.0f', at[i]))
  redis.call('LTRIM', key, 0, slots - 1)
  redis.call('PEXPIRE', key, math.ceil((stretch + wait) / 1000) + 1000)
end
return answer
""")


class Full(Exception):
    """A rate has no room; after `seconds` it may have."""

    def __init__(self, window: Window, seconds: float) -> None:
        super().__init__(window.key)
        self.window = window
        self.seconds = seconds


class Window:
    """One rate: `requests` in any `stretch_seconds`. A request may be told to wait `most_wait_seconds` at the most."""

    def __init__(
        self, key: str, requests: int, stretch_seconds: float, *, replicas: int, most_wait_seconds: float = 0.0
    ) -> None:
        self.key = key
        self._share = -(-requests // _MOST_SLOTS)
        self._slots = requests // self._share
        self._stretch = stretch_seconds
        self._most_wait = most_wait_seconds
        self._leased = 0
        self._lease_ends = 0.0
        self._full_until = 0.0
        self.share_asked: asyncio.Event | None = None
        """Set in the end of a question for a share that is under way: whoever needs one too waits for its answer."""
        # What this replica let through, in shares: what it goes by when Redis is away.
        self._own_slots = max(1, self._slots // replicas)
        self._own_stretch = max(stretch_seconds, self._own_slots * replicas * stretch_seconds / self._slots)
        self._own: deque[float] = deque(maxlen=self._own_slots)

    def arguments(self, *, now_or_never: bool) -> tuple[int, int, int, int]:
        """Return what the script wants to know: slots, and times in microseconds, the last what this one may wait."""
        wait = round(self._most_wait * 1e6)
        return self._slots, round(self._stretch * 1e6), wait, 0 if now_or_never else wait

    def refuse_if_known(self, now: float) -> None:
        """Raise Full where an earlier answer said that there is no room yet."""
        if now < self._full_until:
            raise Full(self, self._full_until - now + self._most_wait)

    def take_leased(self, now: float) -> bool:
        """Use one of a share that was taken before."""
        if self._leased == 0 or now >= self._lease_ends:
            return False
        self._leased -= 1
        return True

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let others wait while a share is asked for: each would get one of its own, and most of it would be lost."""
        if self._share == 1:
            yield
            return
        self.share_asked = asyncio.Event()
        try:
            yield
        finally:
            self.share_asked.set()
            self.share_asked = None

    def give_back(self) -> None:
        """Undo `take_leased`."""
        self._leased += 1

    def granted(self, now: float, wait_seconds: float) -> None:
        """Take note of a share that was let through after `wait_seconds`."""
        self._own.append(now + wait_seconds)
        self._leased = self._leased * (now < self._lease_ends) + self._share - 1
        self._lease_ends = now + self._stretch * _LEASE_PART

    def refused(self, now: float, wait_seconds: float) -> None:
        """Take note that there is no room for `wait_seconds`, and raise Full."""
        self._full_until = now + wait_seconds - self._most_wait
        raise Full(self, wait_seconds)

    def own_wait(self, now: float, *, now_or_never: bool) -> float:
        """Return how long to wait when this replica goes by what it let through by itself; negative: no room."""
        at = now
        if len(self._own) == self._own_slots:
            at = max(now, self._own[0] + self._own_stretch)
        return at - now if at - now <= (0 if now_or_never else self._most_wait) else now - at


async def pass_through(store: SharedStore, windows: Sequence[Window], *, now_or_never: bool = False) -> float:
    """Count one request in all of `windows` or in none, and return the seconds that it must wait.

    One that is `now_or_never` finds no room where it would have to wait at all. Raises Full.
    """
    # Who waited for a share gets its part however late its turn comes. Were it over by then, all would ask again,
    # one by one: on a busy processor that alone kept it busy.
    came = time.monotonic()
    while True:
        for window in windows:
            window.refuse_if_known(came)
        leased = [window for window in windows if window.take_leased(came)]
        asked = [window for window in windows if window not in leased] if leased else windows
        if not asked:
            return 0.0
        under_way = next((window.share_asked for window in asked if window.share_asked), None)
        if under_way is None:
            break
        for window in leased:
            window.give_back()
        await under_way.wait()
    try:
        with ExitStack() as others_wait:
            for window in asked:
                others_wait.enter_context(window.asking())
            return await _ask_and_note(store, asked, now_or_never=now_or_never)
    except BaseException:
        for window in leased:
            window.give_back()
        raise


async def _ask_and_note(store: SharedStore, asked: Sequence[Window], *, now_or_never: bool) -> float:
    now = time.monotonic()
    try:
        waits = await _ask(store, asked, now_or_never=now_or_never)
    except StoreAway:
        now = time.monotonic()
        waits = [window.own_wait(now, now_or_never=now_or_never) for window in asked]
    for window, wait in zip(asked, waits, strict=True):
        if wait < 0:
            window.refused(now, -wait)
    for window, wait in zip(asked, waits, strict=True):
        window.granted(now, wait)
    return max(waits)


async def _ask(store: SharedStore, windows: Sequence[Window], *, now_or_never: bool) -> list[float]:
    keys = [window.key for window in windows]
    arguments = [number for window in windows for number in window.arguments(now_or_never=now_or_never)]
    return [microseconds / 1e6 for microseconds in await store.evaluate(_SCRIPT, keys, arguments)]
