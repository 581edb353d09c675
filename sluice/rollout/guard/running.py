"""A guard that runs: ticks that keep the lease, and every fifteen seconds a round of whoever holds it.

Where a candidate's requests fail and it is not yet sure that it does harm, it alone is looked at again five seconds
later: harm may be asked after as often as one likes, and a whole round so often would be Prometheus' burden.

One thread does all of it, so that nothing goes on after the lease is lost; another only answers those who ask after it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sluice.rollout.cluster import Cluster
from sluice.rollout.guard.configuration import GuardConfiguration
from sluice.rollout.guard.gates_court import GatesCourt
from sluice.rollout.guard.lease import Lease
from sluice.rollout.guard.loop import Guard
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.metrics import GuardMetrics
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.set_clock import now_in
from sluice.rollout.wanted import read_wanted

LEASE = "sluice-guard"
ROUND_EVERY_SECONDS = 15.0
AGAIN_AFTER_SECONDS = 5.0
_TICK_SECONDS = 1.0
_STUCK_AFTER_SECONDS = 90.0
_DEAF_AFTER_SECONDS = 30.0


def say(text: str, about: Mapping[str, str]) -> None:
    """Write a line of the log, as JSON on standard output."""
    line = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "message": text, **about}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def guard_of(
    configuration: GuardConfiguration,
    cluster: Cluster,
    metrics: GuardMetrics,
    may_act: Callable[[], bool],
    keep: Callable[[], object] = lambda: None,
    say: Callable[[str, Mapping[str, str]], None] = say,
    prometheus: Prometheus | None = None,
) -> Guard:
    """Return the guard of an environment: Prometheus and the gates as its court. `keep` keeps a lease meanwhile.

    `prometheus` is a way there from where the configuration's address leads nowhere.
    """
    namespace = configuration.namespace
    court = GatesCourt(
        configuration.environment,
        configuration.registry,
        Measuring(prometheus or Prometheus(configuration.prometheus, keep), configuration.match),
        lambda: read_wanted(cluster, namespace),
    )
    environment = configuration.environment
    return Guard(
        cluster, environment, namespace, court, metrics, may_act, say, lambda: now_in(environment), pause=time.sleep
    )


@dataclass(slots=True)
class Running:
    """One guard's ticks. `stop` may be called from a signal's handler."""

    guard: Guard
    lease: Lease
    metrics: GuardMetrics
    _rounded_at: float | None = None
    _looked_at: float = 0.0
    _was_leader: bool = False
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Tick until stopped, then give the lease up."""
        while not self._over.wait(_TICK_SECONDS):
            self.tick()
        self.lease.release()

    def tick(self) -> None:
        """Keep the lease, and do a round or another look where one is due."""
        now = self.lease.clock()
        is_leader = self.lease.renew()
        self.metrics.leader.set(is_leader)
        if is_leader != self._was_leader:
            say("acts" if is_leader else "stands by", {"identity": self.lease.identity})
            self._was_leader = is_leader
        if not is_leader:
            return
        if self._rounded_at is None or now - self._rounded_at >= ROUND_EVERY_SECONDS:
            self._rounded_at = self._looked_at = now
            self.guard.round()
        elif self.guard.suspects and now - self._looked_at >= AGAIN_AFTER_SECONDS:
            self._looked_at = now
            self.guard.look_again()

    def stop(self) -> None:
        """End after the tick that runs."""
        self._over.set()

    @property
    def is_alive(self) -> bool:
        """Whether it still asks for the lease, as it does at each tick and query: one that hangs is started anew."""
        asked = self.lease.asked_at
        return asked is None or self.lease.clock() - asked < _STUCK_AFTER_SECONDS

    @property
    def is_ready(self) -> bool:
        """Whether it hears the API server: one that does not could not act, were it to take over."""
        heard = self.lease.heard_at
        return heard is not None and self.lease.clock() - heard < _DEAF_AFTER_SECONDS


def serve(running: Running, port: int) -> ThreadingHTTPServer:
    """Answer `/metrics`, `/healthz` and `/readyz` in a thread until the server is shut down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(running.metrics.registry), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                self._answer(200 if running.is_alive else 503, b"", "text/plain")
            elif self.path == "/readyz":
                self._answer(200 if running.is_ready else 503, b"", "text/plain")
            else:
                self._answer(404, b"", "text/plain")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by http.server
            """Say nothing: who asks every few seconds is no news."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
