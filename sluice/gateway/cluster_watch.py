"""The watch on the ConfigMaps `flags` and `override`: a change reaches this process as soon as the API server has it.

List and watch as Kubernetes means them (https://kubernetes.io/docs/reference/using-api/api-concepts/): list, watch from
the version of the list, watch on from the last version when a watch ends, list again when that version is too old. Each
ConfigMap has a watch of its own, by a field selector on its name, so that a Role with `resourceNames` is enough.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from sluice.gateway import log
from sluice.gateway.cluster_access import ClusterAccess
from sluice.gateway.live_flags import LiveFlags
from sluice.gateway.mounted_map import MapContent

_LARGEST_ANSWER_BYTES = 8 * 1024 * 1024
"""A ConfigMap of 1 MiB, each of its characters escaped, its old self beside it as an annotation, and room."""

_GONE = 410


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the watch waits for what. Times are in seconds."""

    answer: float = 5.0
    """For the head of an answer, and for all of a list."""
    watch: float = 30.0
    """After this the API server ends a watch, and a new one begins: so a silent one is noticed."""
    grace: float = 5.0
    """How long after that a watch may still be open before its connection counts as dead."""
    first_pause: float = 0.1
    longest_pause: float = 5.0
    """Between attempts: doubled each time, and shortened by chance, so that a thousand pods do not come at once."""


class WatchBroken(Exception):
    """The API server answered with something that cannot be followed. `str(error)` says what."""


class _VersionGone(Exception):
    """The version to watch from is too old: only a list can say what is now."""


class ClusterWatch:
    """Follows the ConfigMaps of `live` for as long as `run` runs."""

    def __init__(self, access: ClusterAccess, live: LiveFlags, pace: Pace = Pace()) -> None:
        self._access = access
        self._live = live
        self._pace = pace
        self._first = {name: asyncio.Event() for name in live.names}

    async def run(self) -> None:
        """Follow all of them until cancelled."""
        # No connection is kept: the one that is kept is the one that turns out to be dead.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
            for name in self._live.names:
                tasks.create_task(self._follow_forever(session, name))

    async def first_answers(self, seconds: float) -> None:
        """Wait until each was heard or has failed for the first time, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for heard in self._first.values():
                    await heard.wait()

    async def _follow_forever(self, session: aiohttp.ClientSession, name: str) -> None:
        follow = _Follow(self._access, self._live, self._pace, session, name, self._first[name])
        failures = 0
        told = ""
        while True:
            began = time.monotonic()
            try:
                await follow.once()
                reason = ""
            except Exception as error:  # noqa: BLE001 -- whatever an API server does, it is asked again
                reason = str(error) if isinstance(error, WatchBroken) else type(error).__name__
                follow.version = None
                await asyncio.to_thread(self._live.lose, name)
                self._first[name].set()
            if reason != told:
                if reason:
                    log.warning("cluster not heard", config_map=name, reason=reason)
                else:
                    log.info("cluster heard again", config_map=name)
                told = reason
            # A watch that lasted is no failure, however it ended; one that ends at once, again and again, is.
            failures = 0 if time.monotonic() - began > self._pace.answer else failures + 1
            if reason or failures > 1:
                pause = min(self._pace.longest_pause, self._pace.first_pause * 2 ** min(failures, 16))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- no secret


class _Follow:
    """One ConfigMap's list and watch; `version` is where it stands, None before a list."""

    def __init__(
        self,
        access: ClusterAccess,
        live: LiveFlags,
        pace: Pace,
        session: aiohttp.ClientSession,
        name: str,
        first: asyncio.Event,
    ) -> None:
        self._access = access
        self._live = live
        self._pace = pace
        self._session = session
        self._name = name
        self._first = first
        self.version: str | None = None

    async def once(self) -> None:
        """List where that is needed, then watch until the API server ends it.

        Raises WatchBroken, OSError, TimeoutError or what aiohttp does; then what is known may be old.
        """
        if self.version is None:
            await self._list()
        try:
            await self._watch()
        except _VersionGone:
            self.version = None

    async def _list(self) -> None:
        async with asyncio.timeout(self._pace.answer):
            async with await self._get({}) as response:
                content = await _whole(response)
        document = _object(content)
        items, version = document.get("items"), _version(document)
        if not isinstance(items, list):
            raise WatchBroken("a list has no items")
        found = [item for item in items if self._is_ours(item)]
        await self._hear(_content(found[0]) if found else None, version)

    async def _watch(self) -> None:
        assert self.version is not None  # noqa: S101 -- a list has been
        # Spread, so that the pods of an API server that came back do not list in step for ever.
        seconds = max(1, round(self._pace.watch * random.uniform(0.8, 1.2)))  # noqa: S311 -- no secret
        wanted = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self.version}
        async with asyncio.timeout(self._pace.answer):
            response = await self._get({**wanted, "timeoutSeconds": str(seconds)})
        # The API server ends the watch in time, or its connection is dead, or it trickles: all of it is one limit.
        async with response, asyncio.timeout(seconds + self._pace.grace):
            async for line in _lines(response):
                await self._event(_object(line))
        await asyncio.to_thread(self._live.hear_no_change, self._name)

    async def _event(self, event: dict[str, Any]) -> None:
        kind, about = event.get("type"), event.get("object")
        if kind == "ERROR":
            if isinstance(about, dict) and about.get("code") == _GONE:
                raise _VersionGone
            raise WatchBroken("the watch ended with an error event")
        if kind == "BOOKMARK" and isinstance(about, dict):
            self.version = _version(about)
            await asyncio.to_thread(self._live.hear_no_change, self._name)
        elif kind in ("ADDED", "MODIFIED", "DELETED") and isinstance(about, dict) and self._is_ours(about):
            await self._hear(None if kind == "DELETED" else _content(about), _version(about))
        else:
            raise WatchBroken("an event is of no known kind")

    async def _hear(self, content: MapContent | None, version: str) -> None:
        await asyncio.to_thread(self._live.hear, self._name, content)
        self.version = version
        self._first.set()

    async def _get(self, parameters: dict[str, str]) -> aiohttp.ClientResponse:
        credentials = await asyncio.to_thread(self._access.credentials)
        response = await self._session.get(
            f"{self._access.url}/api/v1/namespaces/{credentials.namespace}/configmaps",
            params={"fieldSelector": f"metadata.name={self._name}", **parameters},
            headers={"authorization": f"Bearer {credentials.token}", "accept": "application/json"},
            ssl=credentials.tls if credentials.tls is not None else True,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        if response.status == 200:
            return response
        response.close()
        if response.status == _GONE:
            raise _VersionGone
        raise WatchBroken(f"the API server answers {response.status}")

    def _is_ours(self, about: object) -> bool:
        metadata = about.get("metadata") if isinstance(about, dict) else None
        return isinstance(metadata, dict) and metadata.get("name") == self._name


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _LARGEST_ANSWER_BYTES:
            raise WatchBroken("a list is larger than any ConfigMap")
    return bytes(content)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LARGEST_ANSWER_BYTES:
            raise WatchBroken("an event is larger than any ConfigMap")
        for line in lines:
            if line.strip():
                yield line
    if rest.strip():
        raise WatchBroken("the watch was cut in the middle of an event")


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WatchBroken("an answer is not JSON") from error
    if not isinstance(value, dict):
        raise WatchBroken("an answer is no JSON object")
    return value


def _version(about: dict[str, Any]) -> str:
    metadata = about.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(version, str) or not version:
        raise WatchBroken("an answer has no resourceVersion")
    return version


def _content(about: dict[str, Any]) -> MapContent:
    data, binary = about.get("data") or {}, about.get("binaryData") or {}
    if not isinstance(data, dict) or not isinstance(binary, dict):
        raise WatchBroken("a ConfigMap's data is no object")
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    return MapContent(texts, dict.fromkeys(data.keys() - texts.keys() | binary.keys(), "is no text"))
