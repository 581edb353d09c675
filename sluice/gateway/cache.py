"""Answers given again to the same question, for as long as the registry says (`cache.keep`), by any replica.

A hit is asked of no provider and costs nothing. Which questions are the same is in `cache_key.py`, what is kept of an
answer in `cached_answer.py`. It is written after the answer was given, and always with an end, so that Redis may drop
it at any time; while Redis is away every question is asked. So are two that come at the same time: the second to wait
for the first would make its answer hang on another caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter
from starlette.types import Scope

from sluice.gateway.assignment import Assignment
from sluice.gateway.cache_key import cache_key
from sluice.gateway.cached_answer import CachedAnswer, Overheard, completion_of, replayed
from sluice.gateway.chat_request import ChatRequest
from sluice.gateway.configuration import Configuration
from sluice.gateway.metrics import Record
from sluice.gateway.off_path import OffPath
from sluice.gateway.outcome import Outcome
from sluice.gateway.series import Series
from sluice.gateway.store import SharedStore, StoreAway
from sluice.gateway.usage import Usage

_SHORT_BYTES = 8 * 1024
"""What is looked through within a millisecond, and so on the loop."""


class Result(StrEnum):
    """What the cache could do for a request; SKIPPED where the request wants an answer of its own."""

    HIT = "hit"
    MISS = "miss"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Found:
    """What the cache has for a request: the answer that was kept, or what overhears the one to come, or neither."""

    answer: CachedAnswer | None = None
    overheard: Overheard | None = None
    key: str = ""

    @property
    def overhear(self) -> Callable[[bytes], None] | None:
        """What wants to hear the answer as it passes, if anything does."""
        return None if self.overheard is None else self.overheard.take


class Cache:
    """The kept answers of one environment."""

    def __init__(
        self, configuration: Configuration, store: SharedStore, off_path: OffPath, registry: CollectorRegistry
    ) -> None:
        self._settings = {agent.name: agent.cache for agent in configuration.agents.values()}
        self._store = store
        self._off_path = off_path
        self._asked = Series(
            Counter(
                "sluice_cache", "Requests of agents whose answers are kept.", ["agent", "result"], registry=registry
            )
        )
        for name, settings in self._settings.items():
            if settings.keep_seconds > 0:
                for result in Result:
                    self._asked[name, result]

    async def find(self, chat: ChatRequest, scope: Scope, assignment: Assignment, record: Record) -> Found:
        """Return what there is for a request; `record` says hit or miss where its answer may be a kept one."""
        settings = self._settings[chat.agent]
        if settings.keep_seconds <= 0:
            return Found()
        key = cache_key(chat, scope, assignment, record.caller, across_users=settings.across_users)
        if key is None:
            self._asked[chat.agent, Result.SKIPPED].inc()
            return Found()
        key = self._store.key("cache", key)
        kept: bytes | str | None = None
        with suppress(StoreAway):
            kept = await self._store.ask("GET", key)
        answer = None if kept is None else replayed(kept, assignment.models[0], chat)
        record.cache = Result.MISS if answer is None else Result.HIT
        self._asked[chat.agent, record.cache].inc()
        return Found(answer) if answer is not None else Found(None, Overheard(), key)

    def keep(self, found: Found, record: Record, *, streamed: bool) -> None:
        """Keep the answer that has been given, if it is one to be given again."""
        if found.overheard is None or record.outcome is not Outcome.OK:
            return
        text = found.overheard.text
        if text:
            seconds, usage = self._settings[record.agent].keep_seconds, record.usage
            self._off_path.add("cache", len(text), lambda: self._write(found.key, seconds, text, usage, streamed))

    async def _write(self, key: str, seconds: float, text: bytes, usage: Usage | None, streamed: bool) -> None:
        completion = await self._off_path.computed(
            lambda: completion_of(text, usage, streamed=streamed), on_loop=len(text) <= _SHORT_BYTES
        )
        if completion is not None:
            with suppress(StoreAway):
                await self._store.ask("SET", key, completion, "EX", math.ceil(seconds))
