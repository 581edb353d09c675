"""Tells the other replicas of failures and takes over theirs, four times a second, off every request's path.

Failures of all replicas count together, so that three replicas do not need three times as many. Redis keeps the time:
no replica's clock matters. Without Redis each replica's breaker works by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from sluice.gateway import log
from sluice.gateway.breaker import Breaker
from sluice.gateway.store import Script, SharedStore, StoreAway
from sluice.gateway.ticking import Ticking

TICK_SECONDS = 0.25

# KEYS: the open models with the end of their time (milliseconds of Redis' clock), and the failures in a row of the
# others. ARGV: the news, as JSON. Returns the open models, each followed by the milliseconds that are left.
_EXCHANGE = Script("""
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for _, news in ipairs(cjson.decode(ARGV[1])) do
  local open = news.opened
  if news.reset then
    redis.call('HDEL', KEYS[2], news.model)
    redis.call('ZREM', KEYS[1], news.model)
  end
  if news.failures > 0 and not redis.call('ZSCORE', KEYS[1], news.model) then
    if redis.call('HINCRBY', KEYS[2], news.model, news.failures) >= news.limit then open = true end
    redis.call('PEXPIRE', KEYS[2], 600000)
  end
  if open then
    redis.call('ZADD', KEYS[1], now + news.open_ms, news.model)
    redis.call('HDEL', KEYS[2], news.model)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for place = 2, #found, 2 do found[place] = tostring(math.floor(found[place] - now)) end
return found
""")


class BreakerSharing:
    """One replica's part in it. `show` is called at each tick with what the breaker then says."""

    def __init__(self, breaker: Breaker, store: SharedStore, show: Callable[[], None]) -> None:
        self._breaker = breaker
        self._store = store
        self._show = show
        self._ticking = Ticking(self._tick, TICK_SECONDS)

    def open(self) -> None:
        """Begin to exchange."""
        self._ticking.open()

    async def close(self) -> None:
        """Stop."""
        await self._ticking.close()

    async def exchange(self) -> None:
        """Tell and learn once; while the store is away, what is still true is told later."""
        news = self._breaker.take_news()
        told = [
            {
                "model": model,
                "reset": one.reset,
                "failures": one.failures,
                "opened": one.opened,
                "limit": one.limits.failures,
                "open_ms": round(one.limits.open_seconds * 1000),
            }
            for model, one in news.items()
        ]
        keys = (self._store.key("breaker", "open"), self._store.key("breaker", "failures"))
        try:
            found = await self._store.evaluate(_EXCHANGE, keys, [orjson.dumps(told)])
        except StoreAway:
            self._breaker.keep_news(news)
            return
        self._breaker.learn(_seconds_by_model(found))

    async def _tick(self) -> None:
        try:
            await self.exchange()
            self._show()
        except Exception as error:  # noqa: BLE001 -- one bad tick must not end the sharing
            log.error("breaker not shared", exception=error)


def _seconds_by_model(found: Iterable[bytes | str]) -> dict[str, float]:
    texts = [one.decode() if isinstance(one, bytes) else one for one in found]
    return {model: int(left) / 1000 for model, left in zip(texts[::2], texts[1::2], strict=True)}
