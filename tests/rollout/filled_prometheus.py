"""A real Prometheus on 127.0.0.1 that knows a made history and scrapes nothing."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.local.monitoring_programs import MonitoringPrograms
from tests.rollout.made_week import MadeWeek

_PATIENCE_SECONDS = 120.0


@contextmanager
def filled_prometheus(programs: MonitoringPrograms, week: MadeWeek, folder: Path) -> Iterator[str]:
    """Fill one and serve it until the block ends; yields its address."""
    history, data, settings = folder / "history.txt", folder / "data", folder / "prometheus.yaml"
    week.write(history)
    subprocess.run(
        [programs.promtool, "tsdb", "create-blocks-from", "--max-block-duration=960h", "openmetrics", history, data],
        check=True,
        capture_output=True,
    )
    settings.write_text("scrape_configs: []\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                programs.prometheus,
                f"--config.file={settings}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=3650d",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_ready(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_SECONDS)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "Prometheus ended; its log stands beside its data"
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("Prometheus was not ready in time")
