from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sluice.gateway.__main__ import main
from tests.gateway.process import ASK, COMMAND, Process, environment, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def _run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        COMMAND, env=environment(folder, **settings), capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
async def process(request: pytest.FixtureRequest, mounted: Any, stub: str) -> AsyncIterator[Process]:
    mounted.write_configuration(stub)
    async with running(mounted.path, WORKERS=request.param) as process:
        yield process


async def test_sigterm_under_load_loses_no_request_and_finishes_streams(process: Process, stub: str) -> None:
    """Callers keep their connection until they are told to close it, and then would go to another pod."""
    results: list[int] = []

    async def call_until_told_to_reconnect() -> None:
        async with aiohttp.ClientSession() as session:
            reconnect = False
            while not reconnect:
                async with session.post(f"{process.url}/v1/chat/completions", json=ASK) as response:
                    await response.read()
                    results.append(response.status)
                    reconnect = response.headers.get("connection") == "close"

    async def stream() -> bytes:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{process.url}/v1/chat/completions", json={**ASK, "stream": True}) as response,
        ):
            began.set()
            return await response.read()

    began = asyncio.Event()
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        dials = {"latency_ms": 20, "latency_jitter_ms": 10, "chunk_delay_ms": 15}
        async with session.put(f"{stub}/control/default", json=dials):
            pass
        callers = [asyncio.create_task(call_until_told_to_reconnect()) for _ in range(16)]
        long_stream = asyncio.create_task(stream())
        await began.wait()
        while len(results) < 50:
            await asyncio.sleep(0.01)
        process.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*callers)  # an error of any of them fails the test
        assert set(results) == {200}
        # A Service that has not noticed yet still sends here: not ready, and answered all the same.
        await asyncio.sleep(0.2)
        async with session.get(f"{process.url}/readyz") as response:
            assert response.status == 503
        async with session.post(f"{process.url}/v1/chat/completions", json=ASK) as response:
            assert response.status == 200
        assert (await long_stream).endswith(b"data: [DONE]\n\n")
        assert await process.process.wait() == 0


async def test_metrics_have_a_port_of_their_own_and_the_log_holds_no_secret(process: Process) -> None:
    assert process.started["event"] == "starting"
    assert (process.started["environment"], process.started["agents"]) == ("dev", ["legal", "qa"])
    ask = {"model": "qa", "user": "user-of-the-caller", "messages": [{"role": "user", "content": "text-of-a-message"}]}
    async with aiohttp.ClientSession() as session:
        for body in (json.dumps(ask), json.dumps({**ask, "model": "model-of-the-caller"}), "text-of-a-message"):
            headers = {"Authorization": "Bearer key-of-the-caller"}
            async with session.post(f"{process.url}/v1/chat/completions", data=body, headers=headers) as response:
                await response.read()
        async with session.get(process.metrics_url) as response:
            metrics = await response.text()
        assert 'sluice_rollout_weight{agent="qa",kind="served"} 0.0' in metrics
        assert "resident_memory_bytes" in metrics
        async with session.get(f"{process.url}/metrics") as response:
            assert response.status == 404
    process.process.terminate()
    output, _ = await process.process.communicate()
    lines = [json.loads(line) for line in output.decode().splitlines()]
    assert lines[-1]["event"] == "stopped"
    for secret in ("made-openai-key", "key-of-the-caller", "user-of-the-caller", "text-of-a-message"):
        assert secret not in output.decode()


def test_a_missing_configuration_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    ended = _run(tmp_path)
    assert ended.returncode == 3
    path = tmp_path / "config" / "gateway.json"
    reason = "cannot be read: No such file or directory; mount the gateway's ConfigMap there"
    assert ended.stderr == f"sluice gateway: {path}: {reason}\n"
    assert ended.stdout == ""


def test_an_invalid_configuration_or_setting_is_one_line_and_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sluice.gateway.log.configure_logging", lambda *_level: None)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateway.json").write_text('{"version": 1}')
    monkeypatch.setenv("SLUICE_GATEWAY_FOLDER", str(tmp_path))
    assert main() == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "gateway.json: providers: must be an object" in told
    monkeypatch.setenv("SLUICE_GATEWAY_PORT", "tcp://10.0.0.1:80")
    assert main() == 3
    expected = "sluice gateway: SLUICE_GATEWAY_PORT: 'tcp://10.0.0.1:80' is not a port, 0 to 65535\n"
    assert capsys.readouterr().err == expected


def test_a_hash_that_this_gateway_does_not_draw_by_is_one_line_and_exit_code_3(mounted: Any) -> None:
    file = mounted.path / "config" / "gateway.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "assignment": {"hash": 2}}))
    ended = _run(mounted.path)
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert "assignment.hash: gateway.json pins 2 and this gateway draws by 3" in ended.stderr


@pytest.mark.parametrize("setting", ["PORT", "METRICS_PORT"])
def test_a_port_that_is_taken_is_one_line_and_exit_code_3(mounted: Any, closed_port: int, setting: str) -> None:
    ended = _run(mounted.path, **{setting: str(closed_port)})
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert f"cannot listen on 127.0.0.1:{closed_port}: " in ended.stderr
    assert f"SLUICE_GATEWAY_{setting} chooses another port" in ended.stderr
