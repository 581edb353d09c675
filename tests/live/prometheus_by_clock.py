"""A real Prometheus on this machine that scrapes pods every second, and is asked by a clock that is set.

Prometheus knows no clock but the machine's. So what is asked of it is put into real time (when, how long), and what it
answers into the time that the clock shows. Counts and seconds of requests are what they are.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import yaml

from bench.gateway.programs import free_port, running
from sluice.local.monitoring_programs import MonitoringPrograms
from sluice.rollout.set_clock import SetClock
from tests.answering import answering

SCRAPE_EVERY = "1s"
_DURATION = re.compile(r"\[(\d+)s\]")
_ASKS_WHEN = re.compile(r"\btimestamp\(")


def asked_in_real_time(form: Mapping[str, str], clock: SetClock) -> dict[str, str]:
    """Return a query of Prometheus' API with its moments and durations as they really are."""
    asked = dict(form)
    for name in ("time", "start", "end"):
        if name in asked:
            asked[name] = f"{_real(float(asked[name]), clock):.3f}"
    if "step" in asked:
        asked["step"] = f"{max(0.001, float(asked['step']) / clock.rate):.3f}"
    asked["query"] = _DURATION.sub(
        lambda found: f"[{max(1, round(float(found[1]) * 1000 / clock.rate))}ms]", asked["query"]
    )
    return asked


def told_as_shown(query: str, answer: Any, clock: SetClock) -> Any:
    """Return an answer of Prometheus' API with its moments as the clock shows them."""
    if answer.get("status") != "success":
        return answer
    is_moment = _ASKS_WHEN.search(query) is not None

    def sample(at: float, value: str) -> list[object]:
        return [_shown(at, clock), f"{_shown(float(value), clock):.3f}" if is_moment else value]

    for series in answer["data"]["result"]:
        if "value" in series:
            series["value"] = sample(*series["value"])
        if "values" in series:
            series["values"] = [sample(*one) for one in series["values"]]
    return answer


def _real(seconds: float, clock: SetClock) -> float:
    return clock.moment_of(datetime.fromtimestamp(seconds, UTC)).timestamp()


def _shown(seconds: float, clock: SetClock) -> float:
    return clock.shown_at(datetime.fromtimestamp(seconds, UTC)).timestamp()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream: str
    clock: SetClock


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(content).items()}
        asked = urlencode(asked_in_real_time(form, self.server.clock)).encode()
        try:
            with urllib.request.urlopen(f"{self.server.upstream}{self.path}", asked, timeout=10) as answer:
                status, said = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                status, said = refused.code, refused.read()
        body = json.dumps(told_as_shown(form["query"], json.loads(said), self.server.clock)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
        """Say nothing."""


@contextmanager
def measured_by(
    programs: MonitoringPrograms, folder: Path, pods: Mapping[str, str], namespace: str, clock: SetClock
) -> Iterator[str]:
    """Scrape pods, names by the addresses of their metrics, until the block ends; yield where the clock's are asked."""
    port = free_port()
    targets = [
        {"targets": [address], "labels": {"namespace": namespace, "pod": name}} for address, name in pods.items()
    ]
    wanted = {
        "global": {"scrape_interval": SCRAPE_EVERY, "scrape_timeout": SCRAPE_EVERY},
        "scrape_configs": [{"job_name": "gateway", "static_configs": targets}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(wanted))
    command = [
        str(programs.prometheus),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, port, folder / "prometheus.log", path="/-/ready") as program:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.upstream, server.clock = program.url, clock
        with answering(server):
            yield f"http://127.0.0.1:{server.server_address[1]}"
