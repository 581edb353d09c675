"""The stub, really served on 127.0.0.1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
import uvicorn

from sluice.local.stub_provider.app import create_app


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on the loop that the stub runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def stub() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a stub, with a key."""
    config = uvicorn.Config(create_app(), port=0, http="httptools", ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the stub did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": "Bearer made-key"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        yield session
    for listening in server.servers:
        listening.close()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
