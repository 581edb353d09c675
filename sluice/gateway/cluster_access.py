"""How a pod reaches the API server: the address from its environment, token and authority from a mounted folder.

Token and authority are read for every request, because the kubelet brings new ones while the process runs.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.gateway.watched_file import read_regular_file
from sluice.service_account import SERVICE_ACCOUNT_FOLDER, api_server, trust


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one request needs. `tls` is None where the address is not https, as in tests."""

    token: str
    namespace: str
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The API server's address, without a slash at its end, and the folder of token, namespace and ca.crt."""

    url: str
    folder: Path = SERVICE_ACCOUNT_FOLDER

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ClusterAccess | None:
        """Return the access that Kubernetes gives every pod, None outside of a cluster."""
        url = api_server(environment)
        return cls(url) if url else None

    def credentials(self) -> Credentials:
        """Read the folder; for use in a thread. Raises OSError, UnicodeDecodeError or ssl.SSLError."""
        return Credentials(self._text("token"), self._text("namespace"), trust(self.url, self.folder))

    def _text(self, name: str) -> str:
        _, content = read_regular_file(self.folder / name)
        return content.decode("ascii").strip()
