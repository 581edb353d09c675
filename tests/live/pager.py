"""A pager that writes down who is paged, and Debian's own Alertmanager on this machine with a rendered configuration.

Pods reach both at the node's address. PagerDuty and Slack are a server of this test: nothing leaves the machine.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from bench.gateway.programs import free_port
from sluice.local.monitoring_programs import MonitoringPrograms
from tests.answering import answering
from tests.rules.alertmanager import command, root_of_its_own

_SECRETS = "etc/alertmanager/secrets/sluice"


@dataclass
class Pager:
    """What arrived: the seconds of `time.monotonic`, the service, and the message."""

    messages: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    alertmanager: str = ""
    """The address that a Prometheus tells of alerts."""
    port: int = 0

    def pages(self, action: str) -> list[tuple[float, dict[str, Any]]]:
        """Return what PagerDuty was told: `trigger` or `resolve`."""
        return [
            (at, one) for at, to, one in list(self.messages) if to == "/v2/enqueue" and one["event_action"] == action
        ]

    def told(self, agent: str, alert: str, *, over: bool = False) -> list[float]:
        """Return when Slack, which hears of every alert, was told of one of an agent, or that it is over."""
        state = ", resolved)" if over else ", firing)"
        return [
            at
            for at, to, message in list(self.messages)
            if to == "/slack" and message["attachments"][0]["title"].startswith(f"{agent} in ")
            for one in message["attachments"][0]["text"].split("|dashboard>")
            if f"/{alert}.md" in one and state in one
        ]

    def alerts(self) -> set[str]:
        """Return the names of all alerts that anybody was told of."""
        return set(re.findall(r"/(Sluice\w+)\.md", json.dumps([message for _, _, message in list(self.messages)])))

    def paged(self) -> set[tuple[str, str]]:
        """Return the alerts that somebody was woken for, by agent and name."""
        return {
            (page["payload"]["summary"].partition(" in ")[0], runbook.rpartition("/")[2].removesuffix(".md"))
            for _, page in self.pages("trigger")
            for runbook in page["payload"]["custom_details"]["runbooks"].split()
        }

    def resolved(self, agent: str) -> bool:
        """Whether the last word to PagerDuty of an agent's page is its end."""
        said = [one for _, to, one in list(self.messages) if to == "/v2/enqueue"]
        keys = {
            one["dedup_key"]
            for one in said
            if one["event_action"] == "trigger" and one["payload"]["summary"].startswith(f"{agent} in ")
        }
        last = {one["dedup_key"]: one["event_action"] for one in said}
        return bool(keys) and all(last[key] == "resolve" for key in keys)

    def said(self) -> str:
        """Return all that arrived, to show where a test fails."""
        return "\n".join(f"{to}: {json.dumps(one)[:300]}" for _, to, one in self.messages)


class _Http(ThreadingHTTPServer):
    pager: Pager


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Http)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.pager.messages.append((time.monotonic(), self.path, body))
        is_page = self.path == "/v2/enqueue"
        # Slack says nothing else: whatever it says beside that is an error, and the message is sent again and again.
        answer = b'{"status": "success", "message": "Event processed", "dedup_key": "made"}' if is_page else b"ok"
        self.send_response(202 if is_page else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
        """Say nothing."""


@contextmanager
def listening(host: str) -> Iterator[Pager]:
    """Run a pager at an address of this machine until the block ends."""
    server = _Http((host, 0), _Handler)
    pager = server.pager = Pager(port=server.server_address[1])
    with answering(server):
        yield pager


@contextmanager
def paging(programs: MonitoringPrograms, configuration: Path, host: str) -> Iterator[Pager]:
    """Run a pager, and the Alertmanager of a rendered configuration that pages by it, until the block ends."""
    with listening("127.0.0.1") as pager, _alertmanager(programs, configuration, host, pager):
        yield pager


@contextmanager
def _alertmanager(programs: MonitoringPrograms, file: Path, host: str, pager: Pager) -> Iterator[None]:
    there = f"http://127.0.0.1:{pager.port}"
    told = yaml.safe_load(file.read_text())
    # The one thing that is not as rendered: where PagerDuty is.
    told["global"]["pagerduty_url"] = f"{there}/v2/enqueue"
    file.write_text(yaml.safe_dump(told))
    root = root_of_its_own(programs, file)
    (root / _SECRETS).mkdir(parents=True)
    (root / _SECRETS / "pagerduty-routing-key").write_text("made-routing-key")
    (root / _SECRETS / "slack-webhook").write_text(f"{there}/slack")
    address = f"{host}:{free_port(host)}"
    process = subprocess.Popen(command(root, address))
    pager.alertmanager = f"http://{address}"
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
