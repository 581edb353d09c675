"""Keeps queries worth looking at, redacted and bounded, for 30 days: the last that failed, and the worst answered.

Their keys know the agent alone, no candidate, so that they are there after a rollback, which is when they are read.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import orjson
from redis.asyncio import Redis

from sluice.gateway.store import SharedStore

KEEP_DAYS = 30
TEXT_CHARACTERS = 8 * 1024
_DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class KeptQuery:
    """A query, already redacted. `why` says what failed; `score` is its answer's, where it was scored."""

    agent: str
    arm: str
    model: str
    outcome: str
    why: str
    at_seconds: float
    question: str
    answer: str
    score: float | None = None


class Capture:
    """What is kept in one environment. Every method raises StoreAway."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store

    async def keep_failed(self, query: KeptQuery, most: int) -> None:
        """Keep it as the last of `most` of its agent."""
        key = self._store.key("failed", query.agent)

        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.lpush(key, _dumped(query))
                pipe.ltrim(key, 0, most - 1)
                pipe.expire(key, KEEP_DAYS * _DAY_SECONDS)
                await pipe.execute()

        if most:
            await self._store.run(write)

    async def keep_worst(self, query: KeptQuery, most: int) -> None:
        """Keep it if it is among the `most` worst of its agent on its day (UTC)."""
        key = self._worst_key(query.agent, query.at_seconds)

        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.zadd(key, {_dumped(query): query.score or 0.0})
                pipe.zremrangebyrank(key, most, -1)
                pipe.expire(key, KEEP_DAYS * _DAY_SECONDS)
                await pipe.execute()

        if most:
            await self._store.run(write)

    async def failed(self, agent: str) -> list[KeptQuery]:
        """Return what failed last, the newest first."""
        texts = await self._store.run(lambda redis: redis.lrange(self._store.key("failed", agent), 0, -1))
        return [_loaded(text) for text in texts]

    async def worst(self, agent: str, days: int, most: int) -> list[KeptQuery]:
        """Return the worst answered of the last days, the worst first."""
        now = time.time()

        async def read(redis: Redis) -> list[list[bytes]]:
            async with redis.pipeline(transaction=False) as pipe:
                for day in range(min(days, KEEP_DAYS)):
                    pipe.zrange(self._worst_key(agent, now - day * _DAY_SECONDS), 0, -1)
                return list(await pipe.execute())

        queries = [_loaded(text) for texts in await self._store.run(read) for text in texts]
        return sorted(queries, key=lambda query: query.score or 0.0)[:most]

    def _worst_key(self, agent: str, at_seconds: float) -> str:
        return self._store.key("worst", agent, time.strftime("%Y%m%d", time.gmtime(at_seconds)))


class WorstSoFar:
    """Which scores this replica has seen among its worst of a day: what is not among them is not written."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._day = ""
        self._scores: list[float] = []

    def takes(self, score: float, at_seconds: float) -> bool:
        """Say whether a score is among the worst of its day so far."""
        day = time.strftime("%Y%m%d", time.gmtime(at_seconds))
        if day != self._day:
            self._day, self._scores = day, []
        if self._most == 0 or (len(self._scores) >= self._most and score >= self._scores[-1]):
            return False
        self._scores = sorted([*self._scores, score])[: self._most]
        return True


def _dumped(query: KeptQuery) -> bytes:
    return orjson.dumps(asdict(query))


def _loaded(text: bytes | str) -> KeptQuery:
    return KeptQuery(**orjson.loads(text))
