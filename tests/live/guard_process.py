"""A guard as a process of this machine: its own program with its own ServiceAccount's rights, to be killed at a line.

It asks the API server through a tap, which sees every request, and which kills it, with SIGKILL, at the one that a test
names: before the API server has it, or once that has obeyed and before the guard hears of it.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from bench.gateway.programs import free_port
from sluice.local import cluster as local_cluster
from sluice.local.folders import PROJECT, state_folder
from tests.answering import answering
from tests.live.project import LiveProject

_GUARD = "sluice-guard"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API server, and what it answered; 0 where the guard was dead before it was asked."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Kill:
    """At which request a guard dies: the first of this method whose path ends so."""

    method: str
    path_ends: str
    is_obeyed: bool
    """Whether the API server has done what was asked."""


@dataclass
class GuardProcess:
    """One guard. `requests` are those that it sent; `metrics` is its page."""

    process: subprocess.Popen[str]
    port: int
    requests: list[Request] = field(default_factory=list)

    def die(self) -> None:
        """End at once, as by a node that is gone."""
        self.process.kill()
        self.process.wait(timeout=10)

    @property
    def is_dead(self) -> bool:
        return self.process.poll() is not None

    def metrics(self) -> str:
        """Return its page of metrics, nothing before it is there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as page:
                return str(page.read().decode())
        except OSError:
            return ""

    def asked(self, method: str, path_ends: str) -> list[int]:
        """Return the statuses of the requests of a kind."""
        return [one.status for one in self.requests if one.method == method and one.path.endswith(path_ends)]


class _Tap(ThreadingHTTPServer):
    """Passes requests on to the API server."""

    daemon_threads = True
    upstream: str
    trusts: ssl.SSLContext
    guard: GuardProcess
    kill: Kill | None


class _Handler(BaseHTTPRequestHandler):
    server: _Tap

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_PATCH(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        path, content = self.path.partition("?")[0], self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kill = self.server.kill
        is_it = kill is not None and (self.command, True) == (kill.method, path.endswith(kill.path_ends))
        if kill is not None and is_it and not kill.is_obeyed:
            self.server.guard.die()
            self.server.guard.requests.append(Request(self.command, path, 0))
            return
        names = ("Authorization", "Content-Type", "Accept")
        headers = {name: value for name in names if (value := self.headers.get(name))}
        asked = urllib.request.Request(
            f"{self.server.upstream}{self.path}", content or None, headers, method=self.command
        )
        try:
            with urllib.request.urlopen(asked, timeout=10, context=self.server.trusts) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                status, body = refused.code, refused.read()
        self.server.guard.requests.append(Request(self.command, path, status))
        if is_it:
            self.server.guard.die()
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a guard's pod is given: a folder of token and configuration; and where the API server is."""

    folder: Path
    upstream: str
    trusts: ssl.SSLContext


def credentials(project: LiveProject, folder: Path) -> Credentials:
    """Take the guard's configuration and a token of its ServiceAccount from the cluster."""
    kubeconfig = yaml.safe_load(local_cluster.kubeconfig(state_folder()).read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(kubeconfig["certificate-authority-data"]).decode()
    token = project.kubectl("create", "token", _GUARD)
    assert token.exit_code == 0, token.stderr
    (folder / "token").write_text(token.stdout)
    listed = json.loads(project.kubectl("get", "deployment", _GUARD, "--output", "json").stdout)
    volumes = listed["spec"]["template"]["spec"]["volumes"]
    mounted = json.dumps([volume for volume in volumes if volume["name"] == "config"])
    for item in json.loads(project.kubectl("get", "configmaps", "--output", "json").stdout)["items"]:
        if f'"{item["metadata"]["name"]}"' in mounted:
            for name, text in item["data"].items():
                (folder / name).write_text(text)
    return Credentials(folder, kubeconfig["server"], ssl.create_default_context(cadata=authority))


@contextmanager
def guarding(given: Credentials, kill: Kill | None = None, **variables: str) -> Iterator[GuardProcess]:
    """Run a guard until the block ends, or until it dies."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **variables}
    environment |= {"SLUICE_GUARD_FILE": str(given.folder / "guard.json"), "SLUICE_GUARD_PORT": str(port)}
    tap = _Tap(("127.0.0.1", 0), _Handler)
    tap.upstream, tap.trusts, tap.kill = given.upstream, given.trusts, kill
    url = f"http://127.0.0.1:{tap.server_address[1]}"
    with (given.folder / "guard.log").open("a") as log:
        # The tap listens already, and answers from when it knows whom.
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.guard_program", str(given.folder), url],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True,
        )  # fmt: skip
    tap.guard = GuardProcess(process, port)
    with answering(tap):
        try:
            yield tap.guard
        finally:
            if not tap.guard.is_dead:
                process.terminate()
                process.wait(timeout=30)
