"""Takes the ports before anything is started, so that a taken one is told in a line."""

from __future__ import annotations

import socket

from sluice.errors import SluiceError


class PortTaken(SluiceError):
    """A port cannot be listened on."""

    def __init__(self, host: str, port: int, variable: str, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {reason}; {variable} chooses another port")


def bind(host: str, port: int, variable: str) -> socket.socket:
    """Take a port (0: any free one) before anything is started.

    Raises PortTaken, which names the environment `variable` to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(host, port, variable, error.strerror or str(error)) from error
    listener.setblocking(False)
    return listener
