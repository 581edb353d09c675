"""What a run consists of, each as a process: stub provider, Redis, gateway, LiteLLM's proxy and the bare app."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.gateway.bare import PORT, STUB
from bench.gateway.folder import write_gateway_folder, write_litellm_settings
from bench.gateway.programs import Program, debian_program, free_port, running
from bench.gateway.share import Halves
from bench.gateway.unpacked import Unpacked
from bench.measured import PROJECT

TOKENS = 100
"""Of an answer of the stub's."""
_STUB_DIALS = {"latency_ms": 0, "latency_jitter_ms": 0, "chunk_delay_ms": 5, "output_tokens": TOKENS}


@contextmanager
def running_stub(scratch: Path, image: Unpacked) -> Iterator[Program]:
    """Run the stub provider, which answers at once and streams a token each 5 ms."""
    port = free_port()
    variables = {**image.variables, "SLUICE_STUB_HOST": "127.0.0.1", "SLUICE_STUB_PORT": str(port)}
    command = [image.python, "-m", "sluice.local.stub_provider"]
    with running(command, port, scratch / "stub.log", path="/healthz", variables=variables) as stub:
        body = json.dumps(_STUB_DIALS).encode()
        request = urllib.request.Request(f"{stub.url}/control/default", data=body, method="PUT")
        with urllib.request.urlopen(request, timeout=5):
            pass
        yield stub


@contextmanager
def running_redis(scratch: Path) -> Iterator[int]:
    """Run a Redis of Debian's on a port of its own, which is given."""
    redis, variables = debian_program("redis-server")
    port = free_port()
    command = [redis, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--maxmemory", "256mb"]
    command += ["--maxmemory-policy", "volatile-lru", "--protected-mode", "no"]
    with running(command, port, scratch / "redis.log", path=None, variables=variables):
        yield port


@contextmanager
def running_bare(scratch: Path, image: Unpacked, stub: Program, cpus: Halves) -> Iterator[Program]:
    """Run the app that only forwards."""
    port = free_port()
    of_image = image.variables
    path = f"{of_image['PYTHONPATH']}:{PROJECT}"
    variables = {**of_image, "PYTHONPATH": path, PORT: str(port), STUB: stub.url}
    command = [image.python, "-m", "bench.gateway.bare"]
    log = scratch / "bare.log"
    with running(command, port, log, path="/readyz", variables=variables, cpus=cpus.measured) as program:
        yield program


@contextmanager
def running_gateway(
    scratch: Path,
    image: Unpacked,
    stub: Program,
    redis_port: int,
    cpus: Halves,
    workers: int = 1,
    metrics_port: int | None = None,
) -> Iterator[Program]:
    """Run the gateway from the files of `dev`, its providers being the stub."""
    folder, port = scratch / f"gateway-{workers}", free_port()
    write_gateway_folder(folder, stub.url)
    variables = {
        **image.variables,
        "SLUICE_GATEWAY_FOLDER": str(folder),
        "SLUICE_GATEWAY_HOST": "127.0.0.1",
        "SLUICE_GATEWAY_PORT": str(port),
        "SLUICE_GATEWAY_METRICS_PORT": str(metrics_port or free_port()),
        "SLUICE_GATEWAY_WORKERS": str(workers),
        "SLUICE_GATEWAY_DRAIN_SECONDS": "0",
        "SLUICE_REDIS_URL": f"redis://127.0.0.1:{redis_port}",
    }
    command = [image.python, "-m", "sluice.gateway"]
    log = scratch / f"gateway-{workers}.log"
    with running(command, port, log, path="/readyz", variables=variables, cpus=cpus.measured) as program:
        yield program


@contextmanager
def running_litellm(scratch: Path, image: Unpacked, stub: Program, redis_port: int, cpus: Halves) -> Iterator[Program]:
    """Run LiteLLM's proxy with the nearest that it has to what the gateway does."""
    file, port = scratch / "litellm.yaml", free_port()
    write_litellm_settings(file, stub.url, redis_port)
    variables = {**image.variables, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    command = [
        image.python,
        "-c",
        "from litellm import run_server; run_server()",
        "--config",
        str(file),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--num_workers",
        "1",
    ]
    log = scratch / "litellm.log"
    with running(command, port, log, path="/health/liveliness", variables=variables, cpus=cpus.measured) as program:
        yield program
