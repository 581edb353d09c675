"""A gateway, a stub and a recording provider, each really served on 127.0.0.1, and the files that a pod would mount.

Boundaries are real here: sockets, files, signals. Only the providers' answers are made.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sluice.gateway import log
from sluice.gateway.app import Gateway
from sluice.gateway.configuration import Configuration, load_configuration
from sluice.gateway.connection import BoundedHead
from sluice.gateway.listening import bind
from sluice.gateway.process_settings import ProcessSettings
from sluice.local.stub_provider.app import create_app
from tests.gateway import scripted_models

AT_ONCE = {"latency_ms": 0, "latency_jitter_ms": 0, "chunk_delay_ms": 0}
"""The stub provider's dials for an answer without a pause."""

COMPLETION = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}'
CANDIDATES = {"qa": "qa-20251031", "legal": "legal-20251031"}
IDS = {"qa-20251031": "ft:open-mistral-7b:5010731d:20251031:ecc3829c", "legal-20251031": "ft:legal:eb2da6b7"}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on the loop that the gateway runs on."""
    return "asyncio", {"use_uvloop": True}


def flag(agent: str, weight: int) -> dict[str, Any]:
    """Return an agent's flag as the renderer writes it."""
    candidate = CANDIDATES[agent]
    return {
        "state": "ENABLED",
        "variants": {"candidate": {"models": [candidate, "gpt-4o"]}, "baseline": {"models": ["gpt-4o"]}},
        "defaultVariant": "baseline",
        "targeting": {
            "fractional": [
                {"cat": [f"{agent}/{candidate}/", {"var": "targetingKey"}]},
                ["candidate", weight],
                ["baseline", 100 - weight],
            ]
        },
        "metadata": {"weight": weight, "candidate": candidate},
    }


@dataclass
class MountedFolder:
    """What a pod has below /etc/sluice."""

    path: Path
    swaps: int = 0
    agent_fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    """More fields of an agent in gateway.json, by its name."""
    change: Callable[[dict[str, Any]], object] = lambda _document: None
    """Done to gateway.json before it is written."""
    callers: str = "open"

    def write_configuration(
        self, api: str, *, candidates_api: str | None = None, stream_usage: str = "on_request", **agent: Any
    ) -> None:
        """Write gateway.json with every provider, or all but the candidates', at `api`; `agent` is said of each."""
        price = {"input": 0.0025, "output": 0.01}
        models: dict[str, Any] = {
            name: {"provider": "mistral", "id": IDS[name], "price": {"input": 0.0008, "output": 0.0008}}
            for name in CANDIDATES.values()
        }
        models["gpt-4o"] = {"provider": "openai", "id": "gpt-4o", "price": price}
        models["claude-sonnet-4"] = {"provider": "anthropic", "id": "claude-sonnet-4-20250514", "price": price}
        document = {
            "version": 1,
            "environment": "dev",
            "callers": self.callers,
            "agents": {
                "qa": {"summary": "unit tests", **self.agent_fields.get("qa", {}), **agent},
                "legal": {"summary": "terms of service", **self.agent_fields.get("legal", {}), **agent},
            },
            "models": models,
            "providers": {
                "mistral": {
                    "api": f"{candidates_api or api}/mistral/v1",
                    "key": "mistral-api-key",
                    "stream_usage": stream_usage,
                },
                "openai": {"api": f"{api}/openai/v1", "key": "openai-api-key", "stream_usage": stream_usage},
                "anthropic": {"api": f"{api}/anthropic/v1", "key": "anthropic-api-key", "dialect": "anthropic"},
            },
        }
        self.change(document)
        self._write("config", "gateway.json", json.dumps(document))
        self.write_key("mistral-api-key", "made-mistral-key")
        self.write_key("openai-api-key", "made-openai-key")
        self.write_key("anthropic-api-key", "made-anthropic-key")

    def write_flags(self, **weights: int) -> None:
        """Write flags.json with these weights; the other agents are at 0."""
        flags = {agent: flag(agent, weights.get(agent, 0)) for agent in CANDIDATES}
        self.write_flags_text(json.dumps({"flags": flags}))

    def write_baseline(self, *models: str) -> None:
        """Write flags.json with these models behind every agent, and no candidate."""
        variants = {"baseline": {"models": list(models)}}
        metadata = {"weight": 0}
        one = {"state": "ENABLED", "variants": variants, "defaultVariant": "baseline", "metadata": metadata}
        self.write_flags_text(json.dumps({"flags": dict.fromkeys(CANDIDATES, one)}))

    def write_flags_text(self, text: str) -> None:
        """Write flags.json as the kubelet does."""
        self._write("flags", "flags.json", text)

    def write_override(self, **values: str) -> None:
        """Write values into the mounted override, the ones before kept."""
        for key, value in values.items():
            self._write("override", key, value)

    def write_key(self, name: str, key: str) -> None:
        """Write a key's file, newline and all."""
        self._write("keys", name, f"{key}\n")

    def write_callers(self, team: str, text: str) -> None:
        """Write the file with the digests of a team's keys."""
        self._write("callers", team, text)

    def _write(self, folder: str, name: str, text: str) -> None:
        # As the kubelet does: NAME -> ..data/NAME, and ..data -> a new folder, swapped by a rename.
        self.swaps += 1
        base = self.path / folder
        fresh = base / f"..{self.swaps}"
        fresh.mkdir(parents=True)
        data = base / "..data"
        if data.exists():
            for old in data.iterdir():
                (fresh / old.name).write_bytes(old.read_bytes())
        (fresh / name).write_text(text)
        (base / "..new").symlink_to(fresh.name)
        (base / "..new").rename(data)
        if not (base / name).is_symlink():
            (base / name).symlink_to(f"..data/{name}")


@pytest.fixture
def mounted(tmp_path: Path) -> MountedFolder:
    """A folder with a valid configuration (of no real provider), both agents at 0 and both keys."""
    folder = MountedFolder(tmp_path / "sluice")
    folder.write_configuration("http://127.0.0.1:9")
    folder.write_flags()
    return folder


@pytest.fixture
def configuration(mounted: MountedFolder) -> Configuration:
    """Return the configuration in the folder."""
    return load_configuration(mounted.path / "config" / "gateway.json")


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app`, which has no lifespan or is inside it already, on a free port and give its address."""
    listener = bind("127.0.0.1", 0, "PORT")
    config = uvicorn.Config(app, http=BoundedHead, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # A graceful end is for test_process.py; here it would cost a third of a second each time.
        for listening in server.servers:
            listening.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


Respond = Callable[[Request, Send], Awaitable[None]]


@dataclass
class RecordingProvider:
    """A provider that keeps the bytes and headers it was asked with, and answers with `respond`."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    respond: Respond | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self.paths.append(scope["path"])
        self.headers.append(list(scope["headers"]))
        self.bodies.append(await request.body())
        if self.respond is not None:
            await self.respond(request, send)
        else:
            await answer(send, 200, COMPLETION, [(b"content-type", b"application/json")])

    def header(self, name: str) -> str | None:
        """Return a header of the last request."""
        return {key.decode(): value.decode() for key, value in self.headers[-1]}.get(name)


async def answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def answer_with() -> Callable[..., Respond]:
    """Make a `respond` that gives one status, body and list of headers."""

    def make(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Respond:
        async def respond(_request: Request, send: Send) -> None:
            await answer(send, status, body, list(headers))

        return respond

    return make


@dataclass
class Running:
    """A served gateway, what it reads, and a client that calls it."""

    gateway: Gateway
    url: str
    mounted: MountedFolder
    client: aiohttp.ClientSession

    def post(self, document: Mapping[str, Any] | bytes, **headers: str) -> Any:
        """Ask for a chat completion; a mapping is sent as JSON, bytes as they are."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.client.post(f"{self.url}/v1/chat/completions", data=body, headers=headers)

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a series, 0 where there is none."""
        return self.gateway.metrics.registry.get_sample_value(name, labels) or 0.0

    def refresh(self) -> None:
        """Look at the files now instead of within half a second."""
        self.gateway.keys.refresh()
        self.gateway.caller_keys.refresh()
        self.gateway.live_flags.refresh()


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(mounted: MountedFolder) -> AsyncIterator[Start]:
    """Start a gateway whose providers are at an address; other keyword arguments are its process settings."""
    async with AsyncExitStack() as stack:

        async def go(
            api: str, redis: Redis | None = None, configured: Mapping[str, Any] | None = None, **settings: Any
        ) -> Running:
            mounted.write_configuration(api, **(configured or {}))
            loaded = load_configuration(mounted.path / "config" / "gateway.json")
            gateway = Gateway(loaded, ProcessSettings(folder=mounted.path, **settings), redis)
            await stack.enter_async_context(gateway.starlette.router.lifespan_context(gateway.starlette))
            url = await stack.enter_async_context(served(gateway.app))
            client = await stack.enter_async_context(aiohttp.ClientSession())
            return Running(gateway, url, mounted, client)

        yield go


@pytest.fixture
def redis_server() -> FakeServer:
    """A Redis inside this process; while `connected` is false, nobody reaches it."""
    return FakeServer()


@pytest.fixture
def connect_redis(redis_server: FakeServer) -> Callable[[], Redis]:
    """Make a client of `redis_server`: one for each replica."""
    return lambda: FakeAsyncRedis(server=redis_server)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[ASGIApp], Awaitable[str]]]:
    """Serve an application and give its address."""
    async with AsyncExitStack() as stack:

        async def go(app: ASGIApp) -> str:
            return await stack.enter_async_context(served(app))

        yield go


@pytest.fixture
async def provider() -> AsyncIterator[tuple[RecordingProvider, str]]:
    """A recording provider and its address."""
    recording = RecordingProvider()
    async with served(recording) as url:
        yield recording, url


@pytest.fixture
async def stub() -> AsyncIterator[str]:
    """The address of a stub provider that answers at once."""
    async with (
        served(create_app()) as url,
        aiohttp.ClientSession() as session,
        session.put(f"{url}/control/default", json=AT_ONCE),
    ):
        yield url


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that is bound and does not listen: connections to it are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The lines of the log, as they would be written."""
    lines: list[dict[str, Any]] = []

    class Lines:
        def write(self, line: bytes) -> None:
            lines.append(json.loads(line))

    logger = logging.getLogger("sluice.gateway")
    handler, level = log._Handler(), logger.level
    monkeypatch.setattr(log, "_WRITER", Lines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Take back what a test, or the gateway that it ran, set of the process's loggers."""
    root, logger = logging.getLogger(), logging.getLogger("sluice.gateway")
    handlers, levels = list(root.handlers), (root.level, logger.level)
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    logger.setLevel(levels[1])


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait until something is true; fails after a minute, which no machine is too busy for."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def make_flag() -> Callable[[str, int], dict[str, Any]]:
    """Return an agent's flag as the renderer writes it."""
    return flag


@pytest.fixture
async def make_asker(configuration: Configuration) -> AsyncIterator[Callable[..., scripted_models.Asker]]:
    """Make an asker of scripted models."""
    async with scripted_models.nothing_left():
        yield partial(scripted_models.make, configuration)
