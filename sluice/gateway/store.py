"""What replicas share: a Redis that may be away at any moment, and then costs sharing and speed but never an answer.

Whoever asks it gets an answer within a few milliseconds or StoreAway, and goes on with what this replica knows by
itself. After a failure nobody waits for it again until a probe, one a second, has found it well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Gauge
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTooSlow

from sluice.gateway import log
from sluice.gateway.gathered import Gathered
from sluice.gateway.ticking import Ticking

CONNECT_SECONDS = 0.1
OPERATION_SECONDS = 0.05
PROBE_SECONDS = 1.0
_CONNECTIONS = 32
_SECONDS_BETWEEN_TOLD = 60.0

Answer = TypeVar("Answer")


class StoreAway(Exception):
    """There is no store, or it does not answer: use what this replica knows."""


@dataclass(frozen=True, slots=True)
class Script:
    """What Redis is to do as one step, in Lua; after the first time it is named by its digest alone."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the digest."""
        object.__setattr__(self, "digest", sha1(self.text.encode()).hexdigest())  # noqa: S324 -- Redis names them so


class SharedStore:
    """The Redis of one environment; without one (`redis` is None) it is always away.

    `open` and `close` frame its use, inside the running loop.
    """

    def __init__(self, environment: str, redis: Redis | None, registry: CollectorRegistry) -> None:
        self._prefix = f"sluice:{environment}:"
        self._redis = redis
        self._up = False
        self._closed = False
        self._tell_refused_at = 0.0
        self._probing: Ticking | None = None
        self._gathered = Gathered(self.run)
        self._gauge = None
        if redis is not None:
            self._gauge = Gauge(
                "sluice_store_up",
                "1 while the Redis that replicas share answers.",
                multiprocess_mode="livemin",
                registry=registry,
            )

    @property
    def up(self) -> bool:
        """Whether it answered when it was last asked."""
        return self._up

    def key(self, *parts: str) -> str:
        """Return the key of that name in this environment's part of the store."""
        return self._prefix + ":".join(parts)

    async def run(self, ask: Callable[[Redis], Awaitable[Answer]]) -> Answer:
        """Return what `ask` gets from Redis.

        Raises StoreAway within 150 ms when Redis fails, at once while it is away, and where it refuses a command.
        """
        if self._redis is None or not self._up:
            raise StoreAway
        try:
            return await ask(self._redis)
        except (RedisUnreachable, RedisTooSlow, OSError, TimeoutError) as error:
            self._mark(error)
            raise StoreAway from error
        except RedisError as error:
            # It answers, but not this: out of memory, read only, a wrong type. Other commands may still be served.
            self._tell_refused(error)
            raise StoreAway from error

    async def ask(self, *command: bytes | str | int) -> Any:
        """Return what Redis answers to one command; those of many requests go together.

        Raises StoreAway as `run` does.
        """
        return self._accepted(await self._answer(*command))

    async def evaluate(self, script: Script, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """Return what a script answers; those of many requests go together with their commands.

        Raises StoreAway as `run` does.
        """
        answer = await self._answer("EVALSHA", script.digest, len(keys), *keys, *arguments)
        if isinstance(answer, NoScriptError):
            answer = await self._answer("EVAL", script.text, len(keys), *keys, *arguments)
        return self._accepted(answer)

    async def open(self) -> None:
        """Find out whether it answers, and go on finding out."""
        if self._redis is not None:
            redis = self._redis
            await self._probe(redis)
            self._probing = Ticking(lambda: self._probe(redis), PROBE_SECONDS, rests_first=True)
            self._probing.open()

    async def close(self) -> None:
        """Close every connection."""
        self._closed, self._up = True, False
        if self._probing is not None:
            await self._probing.close()
        await self._gathered.close()
        if self._redis is not None:
            await self._redis.aclose()

    async def _answer(self, *command: bytes | str | int) -> Any:
        if self._redis is None or not self._up:
            raise StoreAway
        return await self._gathered.ask(*command)

    def _accepted(self, answer: Any) -> Any:
        if isinstance(answer, RedisError):
            self._tell_refused(answer)
            raise StoreAway from answer
        return answer

    async def _probe(self, redis: Redis) -> None:
        try:
            await redis.ping()
        except Exception as error:  # noqa: BLE001 -- the probe must outlive whatever its client raises
            self._mark(error)
        else:
            self._mark(None)

    def _tell_refused(self, error: RedisError) -> None:
        now = time.monotonic()
        if now >= self._tell_refused_at:
            self._tell_refused_at = now + _SECONDS_BETWEEN_TOLD
            log.error("store refused a command", what=_told(error))

    def _mark(self, error: BaseException | None) -> None:
        if self._closed:
            return
        up = error is None
        if self._gauge is not None:
            self._gauge.set(int(up))
        if up and not self._up:
            log.info("store is up")
        elif self._up and error is not None:
            log.warning("store is away", what=_told(error))
        self._up = up


def connect(
    url: str,
    password_file: Path,
    *,
    connect_seconds: float = CONNECT_SECONDS,
    operation_seconds: float = OPERATION_SECONDS,
) -> Redis:
    """Return a client that gives up early. The password, where there is one, is read anew for every connection."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=operation_seconds,
        socket_connect_timeout=connect_seconds,
        socket_timeout=operation_seconds,
        retry=Retry(NoBackoff(), 0),
        credential_provider=_PasswordFile(password_file) if password_file.exists() else None,
        protocol=2,
        driver_info=None,
    )
    return Redis.from_pool(pool)


class _PasswordFile(CredentialProvider):
    def __init__(self, path: Path) -> None:
        self._path = path

    def get_credentials(self) -> tuple[str]:
        return (self._path.read_text().strip(),)

    async def get_credentials_async(self) -> tuple[str]:
        return await asyncio.to_thread(self.get_credentials)


def _told(error: BaseException) -> str:
    # Redis' own words for a refused command may quote it; its first word says the kind.
    kind = type(error).__name__
    return f"{kind}: {str(error).split(' ', 1)[0]}" if isinstance(error, ResponseError) else kind
