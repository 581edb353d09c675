from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import Gauge

from sluice.gateway.app import Gateway
from sluice.gateway.configuration import load_configuration
from sluice.gateway.process_settings import ProcessSettings
from tests.gateway.process import ASK, COMMAND, environment, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def _workers(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children]


async def _answered(metrics_url: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(metrics_url) as response:
        text = await response.text()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("sluice_requests_total{"))


async def _counted(metrics_url: str, requests: int) -> None:
    """Wait until that many are counted and no more: a request is counted after the end of its answer was sent."""
    while (found := await _answered(metrics_url)) < requests:
        await asyncio.sleep(0.05)
    assert found == requests


async def _ask(url: str, times: int) -> list[int]:
    statuses = []
    for _ in range(times):
        # A connection of its own each time, so that every worker gets some.
        async with aiohttp.ClientSession() as session, session.post(url, json=ASK) as response:
            await response.read()
            statuses.append(response.status)
    return statuses


async def test_what_all_workers_count_is_added_up_also_when_one_has_died(mounted: Any, stub: str) -> None:
    mounted.write_configuration(stub)
    async with running(mounted.path, WORKERS="2") as process, asyncio.timeout(90):
        chat = f"{process.url}/v1/chat/completions"
        assert set(await _ask(chat, 20)) == {200}
        await _counted(process.metrics_url, 20)
        before = _workers(process.process.pid)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        # The one that is left answers, and a new one comes.
        assert set(await _ask(chat, 10)) == {200}
        while len(_workers(process.process.pid)) < 2 or before[0] in _workers(process.process.pid):
            await asyncio.sleep(0.05)
        await _counted(process.metrics_url, 30)


async def test_weights_are_told_once_and_not_once_a_worker(mounted: Any, stub: str) -> None:
    mounted.write_configuration(stub)
    async with (
        running(mounted.path, WORKERS="2") as process,
        aiohttp.ClientSession() as session,
        session.get(process.metrics_url) as response,
    ):
        lines = (await response.text()).splitlines()
    assert [line for line in lines if line.startswith('sluice_rollout_weight{agent="qa",kind="served"')] == [
        'sluice_rollout_weight{agent="qa",kind="served"} 0.0'
    ]
    assert "sluice_workers 2.0" in lines


async def test_workers_end_when_whoever_started_them_is_gone(mounted: Any, stub: str) -> None:
    mounted.write_configuration(stub)
    async with running(mounted.path, WORKERS="2", DRAIN_SECONDS="0.1") as process, asyncio.timeout(20):
        workers = _workers(process.process.pid)
        process.process.kill()
        await process.process.wait()
        while any(_runs(worker) for worker in workers):
            await asyncio.sleep(0.05)


async def test_workers_that_cannot_start_end_the_gateway_with_their_exit_code(mounted: Any, stub: str) -> None:
    mounted.write_configuration(stub)
    # The parent reads the configuration and is content; what its workers import is not there.
    (mounted.path / "sitecustomize.py").write_text(
        "import os, sys\nif 'SLUICE_GATEWAY_WORKER_LISTENER' in os.environ:\n    os._exit(7)\n"
    )
    variables = environment(mounted.path, WORKERS="2")
    variables["PYTHONPATH"] = f"{mounted.path}:{variables['PYTHONPATH']}"
    process = await asyncio.create_subprocess_exec(*COMMAND, env=variables, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 7
    events = [json.loads(line)["event"] for line in output.decode().splitlines()]
    assert events == ["starting", "worker died", "worker died", "worker died", "stopped"]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


async def test_every_gauge_says_how_workers_values_become_one(mounted: Any, stub: str) -> None:
    """A gauge that does not say so is told once for each worker, with a process number that nobody asked for."""
    mounted.write_configuration(stub)
    gateway = Gateway(load_configuration(mounted.path / "config" / "gateway.json"), ProcessSettings(mounted.path))
    gauges = [metric for metric in gateway.metrics.registry._collector_to_names if isinstance(metric, Gauge)]
    assert len(gauges) > 5
    assert [gauge._name for gauge in gauges if gauge._multiprocess_mode == "all"] == []
