"""Serves the gateway until it is told to stop, and then stops without losing a request.

On SIGTERM it first says that it is not ready and asks callers to reconnect (`connection: close`), while it still
answers; after that it accepts no more and lets running answers, streams too, come to their end.
"""

from __future__ import annotations

import gc
import socket
import time
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluice.gateway import log
from sluice.gateway.app import Gateway
from sluice.gateway.connection import BoundedHead
from sluice.gateway.process_settings import ProcessSettings
from sluice.gateway.workers import parent_is_gone

# Longer than callers and load balancers keep idle connections, so that they close first and never send into a close.
_KEEP_ALIVE_SECONDS = 75

# Of the collector's three generations; by default it looks a dozen times at the objects of each request.
_COLLECT_AFTER = (20_000, 10, 10)


def serve(gateway: Gateway, settings: ProcessSettings, listener: socket.socket) -> None:
    """Answer on `listener` until a signal; return when the last answer has ended or the time for that is over."""
    config = uvicorn.Config(
        _AskedToReconnect(gateway),
        loop="uvloop",
        http=BoundedHead,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.finish_seconds)),
    )
    _DrainingServer(config, gateway, settings.drain_seconds).run(sockets=[listener])


class _DrainingServer(uvicorn.Server):
    """uvicorn's server, with a time between the signal and the end of accepting."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, drain_seconds: float) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._drain_seconds = drain_seconds
        self._stop_accepting_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal ends the draining at once.

        In place of uvicorn's own, which raises the signal again in the end: a pod that stopped well would exit 143.
        """
        del sig, frame
        if self._gateway.draining:
            self.should_exit = True
        self._gateway.draining = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; then hide what there is from the collector: it stays, and to look through it holds up every answer."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)

    async def on_tick(self, counter: int) -> bool:
        """Notice the signal here, ten times a second: a signal handler itself must do next to nothing."""
        if parent_is_gone():
            self._gateway.draining = True  # whoever would tell this worker to stop is gone
        if self._gateway.draining and self._stop_accepting_at is None:
            self._stop_accepting_at = time.monotonic() + self._drain_seconds
            log.info("draining", seconds=self._drain_seconds)
        if self._stop_accepting_at is not None and time.monotonic() >= self._stop_accepting_at:
            self.should_exit = True
        return await super().on_tick(counter)


class _AskedToReconnect:
    """Adds `connection: close` to answers while the gateway drains: a kept connection would keep a caller here."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._app: ASGIApp = gateway.app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_close(message: Message) -> None:
            if self._gateway.draining and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_and_close)
