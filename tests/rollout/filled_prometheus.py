"""A real Prometheus on 127.0.0.1 that knows a made history and scrapes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bench.gateway.programs import free_port, running
from sluice.local.monitoring_programs import MonitoringPrograms


class History(Protocol):
    """What can be written down as OpenMetrics text."""

    def write(self, file: Path) -> None:
        """Write it."""


@contextmanager
def filled_prometheus(programs: MonitoringPrograms, history: History, folder: Path) -> Iterator[str]:
    """Fill one and serve it until the block ends; yields its address."""
    text, data, settings = folder / "history.txt", folder / "data", folder / "prometheus.yaml"
    history.write(text)
    subprocess.run(
        [programs.promtool, "tsdb", "create-blocks-from", "--max-block-duration=960h", "openmetrics", text, data],
        check=True,
        capture_output=True,
    )
    settings.write_text("scrape_configs: []\n")
    port = free_port()
    command = [
        str(programs.prometheus),
        f"--config.file={settings}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=3650d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, port, folder / "prometheus.log", path="/-/ready") as program:
        yield program.url
