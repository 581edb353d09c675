"""`python -m sluice.local.stub_provider`: serve the stub on port 8080.

SLUICE_STUB_PORT and SLUICE_STUB_HOST choose another port (0: any free one) and address. A
port that cannot be had is one line on standard error and exit code 3.
"""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

from sluice.errors import SluiceError
from sluice.local.stub_provider.app import create_app


class StubPortUnusable(SluiceError):
    """The port is no port, or is taken."""

    def __init__(self, port: str, reason: str) -> None:
        super().__init__(f"cannot listen on port {port}: {reason}; SLUICE_STUB_PORT chooses another")


def main() -> int:
    """Serve until a signal and return the exit code."""
    try:
        listener = _bind(os.environ.get("SLUICE_STUB_HOST") or "0.0.0.0", os.environ.get("SLUICE_STUB_PORT") or "8080")  # noqa: S104 -- in a pod
    except SluiceError as error:
        print(f"stub provider: {error}", file=sys.stderr)
        return error.exit_code
    config = uvicorn.Config(
        create_app(),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,  # longer than the gateway keeps idle connections, so that it closes first
        timeout_graceful_shutdown=5,
    )
    print(f"stub provider: listening on port {listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _bind(host: str, port: str) -> socket.socket:
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise StubPortUnusable(port, "it is not a number from 0 to 65535")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise StubPortUnusable(port, error.strerror or str(error)) from error
    listener.setblocking(False)
    return listener


if __name__ == "__main__":
    sys.exit(main())
