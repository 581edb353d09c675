"""The queue of outputs that wait for a person, kept in the Redis that replicas share; every key of it expires.

An item is one JSON text. Beside the items stand two sorted sets an agent, of ids by time: what is pending and what is
decided. Whoever takes an id out of the pending set has decided it, so that two reviewers never decide the same one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import orjson
from redis.asyncio import Redis

from sluice.gateway.store import SharedStore

KEEP_SECONDS = 120 * 24 * 3600
"""A month longer than the longest review of the first team, 90 days."""

MOST_PENDING = 5000
"""For each agent; beyond it the oldest goes, as nobody reads that far back."""


class Status(StrEnum):
    """What a person said of an item."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One output, already redacted, why it waits, for whom, and what was decided."""

    id: str
    agent: str
    arm: str
    model: str
    reason: str
    reviewed_by: str
    at_seconds: float
    question: str
    answer: str
    status: Status = Status.PENDING
    reviewer: str | None = None
    note: str | None = None


class ReviewQueue:
    """The queue of one environment. Every method raises StoreAway."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store

    async def put(self, item: ReviewItem) -> None:
        """Add an item, or write the same one again."""
        pending = self._key(Status.PENDING, item.agent)

        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(self._item_key(item.id), orjson.dumps(asdict(item)), ex=KEEP_SECONDS)
                pipe.zadd(pending, {item.id: item.at_seconds})
                pipe.zremrangebyrank(pending, 0, -MOST_PENDING - 1)
                pipe.zremrangebyscore(pending, "-inf", time.time() - KEEP_SECONDS)
                pipe.expire(pending, KEEP_SECONDS)
                await pipe.execute()

        await self._store.run(write)

    async def pending(self, agents: Iterable[str]) -> dict[str, int]:
        """Return how many wait, by agent, in one round trip."""
        names = list(agents)

        async def ask(redis: Redis) -> list[int]:
            async with redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.zcard(self._key(Status.PENDING, name))
                return list(await pipe.execute())

        return dict(zip(names, await self._store.run(ask), strict=True))

    async def items(self, agents: Iterable[str], status: Status, most: int = 100) -> list[ReviewItem]:
        """Return the newest items of agents, the newest first."""
        found: list[ReviewItem] = []
        for agent in agents:
            found += await self._of_agent(agent, status, most)
        return sorted(found, key=lambda item: -item.at_seconds)[:most]

    async def _of_agent(self, agent: str, status: Status, most: int) -> list[ReviewItem]:
        key = self._key(status, agent)
        ids = await self._store.run(lambda redis: redis.zrange(key, 0, most - 1, desc=True))
        if not ids:
            return []
        keys = [self._item_key(_text(one)) for one in ids]
        texts = await self._store.run(lambda redis: redis.mget(keys))
        items = [_item(text) for text in texts if text is not None]
        return [item for item in items if item.status is status]

    async def item(self, item_id: str) -> ReviewItem | None:
        """Return one item, None where there is none or it has expired."""
        text = await self._store.run(lambda redis: redis.get(self._item_key(item_id)))
        return None if text is None else _item(text)

    async def decide(self, item: ReviewItem, status: Status, reviewer: str, note: str | None) -> ReviewItem | None:
        """Say what a person decided; None where somebody else did before."""
        taken = await self._store.run(lambda redis: redis.zrem(self._key(Status.PENDING, item.agent), item.id))
        if not taken:
            return None
        decided = replace(item, status=status, reviewer=reviewer, note=note)
        key = self._key(Status.APPROVED, item.agent)

        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(self._item_key(item.id), orjson.dumps(asdict(decided)), ex=KEEP_SECONDS)
                pipe.zadd(key, {item.id: time.time()})
                pipe.zremrangebyrank(key, 0, -MOST_PENDING - 1)
                pipe.expire(key, KEEP_SECONDS)
                await pipe.execute()

        await self._store.run(write)
        return decided

    async def count_output(self, agent: str, candidate: str) -> int:
        """Count an output of a candidate, and return which one it is, over all replicas."""
        key = self._store.key("review", "outputs", agent, candidate)

        async def count(redis: Redis) -> int:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.incr(key)
                pipe.expire(key, KEEP_SECONDS)
                return int((await pipe.execute())[0])

        return await self._store.run(count)

    def _item_key(self, item_id: str) -> str:
        return self._store.key("review", "item", item_id)

    def _key(self, status: Status, agent: str) -> str:
        return self._store.key("review", "pending" if status is Status.PENDING else "decided", agent)


def _item(text: bytes | str) -> ReviewItem:
    fields = orjson.loads(text)
    return ReviewItem(**{**fields, "status": Status(fields["status"])})


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
