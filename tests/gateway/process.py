"""A gateway in a process of its own, as tests start it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

import sluice

COMMAND = (sys.executable, "-m", "sluice.gateway")
ASK = {"model": "qa", "user": "u", "messages": [{"role": "user", "content": "hello"}]}


class Process:
    """A gateway that runs."""

    def __init__(self, process: asyncio.subprocess.Process, started: dict[str, Any]) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{started['port']}"
        self.metrics_url = f"http://127.0.0.1:{started['metrics_port']}/metrics"
        self.started = started


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a gateway that reads `folder` and takes any free ports."""
    named = {f"SLUICE_GATEWAY_{name}": value for name, value in settings.items()}
    return {
        **os.environ,
        "PYTHONPATH": str(Path(sluice.__file__).parent.parent),
        "SLUICE_GATEWAY_FOLDER": str(folder),
        "SLUICE_GATEWAY_HOST": "127.0.0.1",
        "SLUICE_GATEWAY_PORT": "0",
        "SLUICE_GATEWAY_METRICS_PORT": "0",
        "SLUICE_GATEWAY_DRAIN_SECONDS": "1.2",
        **named,
    }


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[Process]:
    """Start a gateway, wait until it is ready, and kill it in the end if it still runs."""
    started = await asyncio.create_subprocess_exec(
        *COMMAND, env=environment(folder, **settings), stdout=asyncio.subprocess.PIPE
    )
    assert started.stdout is not None
    try:
        async with asyncio.timeout(120):
            process = Process(started, json.loads(await started.stdout.readline()))
            async with aiohttp.ClientSession() as session:
                while not await _ready(session, process.url):
                    await asyncio.sleep(0.02)
        yield process
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def _ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz", timeout=aiohttp.ClientTimeout(1)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
