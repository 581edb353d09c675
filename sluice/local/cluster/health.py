"""How a component says that it works: an HTTP page that answers 200, or a socket that takes a connection."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_TIMEOUT_SECONDS = 2.0


class Health(Protocol):
    """Asks once, without waiting."""

    def is_good(self) -> bool:
        """Whether the component works now."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page on plain HTTP, 127.0.0.1 alone."""

    port: int
    path: str

    def is_good(self) -> bool:
        """Whether the page answers 200."""
        return _answers(http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS), self.path)


@dataclass(frozen=True, slots=True)
class SecurePage:
    """A page on HTTPS at 127.0.0.1, asked with a certificate of ours."""

    port: int
    path: str
    authority: Path
    certificate: Path
    key: Path

    def is_good(self) -> bool:
        """Whether the page answers 200 to us, with a certificate of `authority`."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.certificate, self.key)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS, context=context)
        return _answers(connection, self.path)


@dataclass(frozen=True, slots=True)
class Socket:
    """A Unix socket."""

    path: Path

    def is_good(self) -> bool:
        """Whether it takes a connection."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(_TIMEOUT_SECONDS)
            try:
                client.connect(str(self.path))
            except OSError:
                return False
        return True


def _answers(connection: http.client.HTTPConnection, path: str) -> bool:
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
