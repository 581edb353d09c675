"""An API server with ConfigMaps alone: list, watch, bookmarks, and the ways in which a real one fails.

It is aiohttp on 127.0.0.1; what is made is only its state.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any

from aiohttp import web

from sluice.gateway.cluster_access import ClusterAccess

NAMESPACE = "sluice-test"


class Fault(StrEnum):
    """What it does instead of answering well."""

    NONE = auto()
    FORBIDDEN = auto()
    GARBAGE = auto()
    HANGS = auto()
    GONE = auto()
    GONE_EVENT = auto()
    ERROR_EVENT = auto()
    TRICKLES = auto()
    ENDS_AT_ONCE = auto()
    REDIRECTS = auto()


@dataclass
class FakeCluster:
    """Its ConfigMaps by name. `fault` strikes each new request, `watch_fault` only watches."""

    config_maps: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: int = 100
    token: str = "first-made-token"
    fault: Fault = Fault.NONE
    watch_fault: Fault = Fault.NONE
    requests: Counter[str] = field(default_factory=Counter)
    queries: list[dict[str, str]] = field(default_factory=list)
    watched_at: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When each watch was asked for, by the ConfigMap's name; by the monotonic clock."""
    watches: list[tuple[str, web.StreamResponse]] = field(default_factory=list)
    url: str = ""

    async def put(self, name: str, data: dict[str, str] | None, **more: Any) -> None:
        """Make a ConfigMap say `data`, or take it away, and tell every watch."""
        self.version += 1
        kind = "MODIFIED" if name in self.config_maps else "ADDED"
        if data is None:
            kind, body = "DELETED", self.config_maps.pop(name)
        else:
            body = self.config_maps[name] = {"metadata": {"name": name}, "data": data, **more}
        body["metadata"]["resourceVersion"] = str(self.version)
        await self.tell(name, {"type": kind, "object": body})

    async def tell(self, name: str, event: dict[str, Any]) -> None:
        """Send an event to the watches of one ConfigMap."""
        for watched, response in self.watches:
            if watched == name:
                await response.write(json.dumps(event).encode() + b"\n")

    def cut(self) -> None:
        """Cut every connection of a watch, without a farewell."""
        for _, response in self.watches:
            if response._req is not None and response._req.transport is not None:
                response._req.transport.abort()
        self.watches.clear()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a list or a watch."""
        watch = request.query.get("watch") == "true"
        name = request.query["fieldSelector"].removeprefix("metadata.name=")
        self.requests["watch" if watch else "list"] += 1
        self.queries.append(dict(request.query))
        if watch:
            self.watched_at[name].append(time.monotonic())
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        fault = self.watch_fault if watch and self.watch_fault is not Fault.NONE else self.fault
        if fault is Fault.FORBIDDEN:
            return web.json_response({"kind": "Status", "code": 403}, status=403)
        if fault is Fault.GARBAGE:
            return web.Response(body=b"\x00<html>not json\n")
        if fault is Fault.HANGS:
            await asyncio.sleep(3600)
        if fault is Fault.GONE:
            return web.json_response({"kind": "Status", "code": 410}, status=410)
        if fault is Fault.REDIRECTS:
            raise web.HTTPFound("http://127.0.0.1:9/elsewhere")
        return await self._watch(request, name, fault) if watch else self._list(name)

    def _list(self, name: str) -> web.Response:
        items = [self.config_maps[name]] if name in self.config_maps else []
        return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": items})

    async def _watch(self, request: web.Request, name: str, fault: Fault) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        since = int(request.query["resourceVersion"])
        missed = self.config_maps.get(name)
        if fault in (Fault.GONE_EVENT, Fault.ERROR_EVENT):
            code = 410 if fault is Fault.GONE_EVENT else 500
            await response.write(json.dumps({"type": "ERROR", "object": {"code": code}}).encode() + b"\n")
            return response
        if fault is Fault.ENDS_AT_ONCE:
            return response
        if missed and int(missed["metadata"]["resourceVersion"]) > since:
            await response.write(json.dumps({"type": "MODIFIED", "object": missed}).encode() + b"\n")
        entry = (name, response)
        self.watches.append(entry)
        try:
            for _ in range(int(request.query["timeoutSeconds"]) * 10):
                await asyncio.sleep(0.1)
                if fault is Fault.TRICKLES:
                    await response.write(b" ")
            while fault is Fault.TRICKLES:
                await asyncio.sleep(0.1)
                await response.write(b" ")
        finally:
            if entry in self.watches:
                self.watches.remove(entry)
        return response


@asynccontextmanager
async def serving(cluster: FakeCluster, port: int = 0) -> AsyncIterator[int]:
    """Serve it on 127.0.0.1, at any free port or a given one."""
    app = web.Application()
    app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/configmaps", cluster.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    address = runner.addresses[0]
    cluster.url = f"http://127.0.0.1:{address[1]}"
    try:
        yield address[1]
    finally:
        cluster.cut()
        await runner.cleanup()


def access_to(cluster: FakeCluster, folder: Any) -> ClusterAccess:
    """Write what a pod is given, and return the access by it."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(cluster.token)
    (folder / "namespace").write_text(NAMESPACE)
    return ClusterAccess(cluster.url, folder)
