"""The API server as a pod reaches it: the address from its environment, token and authority from a mounted folder.

The standard library is enough for one small request at a time, and so a pod that only guards carries no Kubernetes
client. Token and authority are read for every request, because the kubelet brings new ones while the process runs.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlencode

from sluice.errors import SluiceError
from sluice.service_account import SERVICE_ACCOUNT_FOLDER, api_server, trust

_LARGEST_ANSWER_BYTES = 16 * 1024 * 1024


class NotHeard(SluiceError):
    """A server did not answer, or broke off."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was answered, whatever it was."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class PodAccess:
    """The API server's address, without a slash at its end, and the folder of token and ca.crt."""

    url: str
    folder: Path = SERVICE_ACCOUNT_FOLDER

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> PodAccess | None:
        """Return the access that Kubernetes gives every pod, None outside of a cluster."""
        url = api_server(environment)
        return cls(url) if url else None

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        timeout_seconds: float = 5.0,
        query: Mapping[str, str] | None = None,
    ) -> Heard:
        """Send one request and return the answer. Raises `NotHeard`."""
        try:
            token = (self.folder / "token").read_text().strip()
            tls = trust(self.url, self.folder)
        except OSError as error:  # ssl.SSLError is one
            raise NotHeard(f"{self.folder}: the pod's token or authority cannot be read ({error})") from None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type, "Accept": "application/json"}
        asked = f"{self.url}{path}?{urlencode(query)}" if query else f"{self.url}{path}"
        content = None if body is None else json.dumps(body).encode()
        return http(urllib.request.Request(asked, content, headers, method=method), timeout_seconds, tls)  # noqa: S310


def http(request: urllib.request.Request, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> Heard:
    """Send a request straight, by no proxy, and return the answer. Raises `NotHeard`."""
    handlers = [urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=tls)] if tls else [])]
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_seconds) as response:
            return Heard(response.status, response.read(_LARGEST_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return Heard(error.code, error.read(_LARGEST_ANSWER_BYTES))
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise NotHeard(f"{request.host} does not answer ({reason})") from None
