"""Since when each provider's key is in use: what an alert on old keys goes by.

A file says when it was mounted, and that is the age of the pod. So replicas note in Redis when one of them first used a
key, by a number that says nothing else of it. A Redis that has forgotten hears it again from the pods that know; while
it is away, and without one, what is not known is not shown, and no key is called young or old by a guess.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import cast

from prometheus_client import CollectorRegistry, Gauge
from redis.asyncio import Redis

from sluice.gateway import log
from sluice.gateway.keys import KeyRing
from sluice.gateway.store import SharedStore, StoreAway
from sluice.gateway.ticking import Ticking
from sluice.key_hash import key_hash

METRIC = "sluice_key_rotated_timestamp_seconds"
TICK_SECONDS = 5.0


class KeyAges:
    """One replica's part in it; `clock` gives seconds since 1970."""

    def __init__(
        self,
        keys: KeyRing,
        store: SharedStore,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._store = store
        self._clock = clock
        self._first_used: dict[str, float] = {}
        self._ticking = Ticking(self._tick, TICK_SECONDS)
        self._gauge = Gauge(
            METRIC,
            "When a gateway of this environment first used the key that it uses now, in seconds since 1970.",
            ["key"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )

    def open(self) -> None:
        """Begin to note and to show."""
        self._ticking.open()

    async def close(self) -> None:
        """Stop."""
        await self._ticking.close()

    async def note(self) -> None:
        """Note each key in use, and show since when it is; while the store is away, nothing changes."""
        for name in self._keys.names:
            key = self._keys.get(name)
            if key is None:
                continue
            field = f"{name}:{key_hash(key)}"
            try:
                at = await self._noted(field, self._first_used.get(field, self._clock()))
            except StoreAway:
                return
            self._first_used[field] = at
            self._gauge.labels(name).set(at)

    async def _noted(self, field: str, at: float) -> float:
        """Return when the key was first used by anybody: `at`, unless another said so before."""
        where = self._store.key("keys-first-used")

        async def ask(redis: Redis) -> bytes | None:
            # One entry for each key there ever was: with no end, because what has one is dropped from a full Redis.
            await redis.hsetnx(where, field, f"{at:.0f}")
            return await cast("Awaitable[bytes | None]", redis.hget(where, field))

        found = await self._store.run(ask)
        return at if found is None else float(found)

    async def _tick(self) -> None:
        try:
            await self.note()
        except Exception as error:  # noqa: BLE001 -- one bad tick must not end it
            log.error("age of keys not noted", exception=error)
