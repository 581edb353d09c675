"""The few requests we make to the API server, without a client library: its import takes longer than an `up` may."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sluice.local.cluster.errors import ApiRefused, ApiUnreachable

_TIMEOUT_SECONDS = 5.0


class Api:
    """Speaks to the server of a kubeconfig that this package wrote. Raises ApiUnreachable and ApiRefused."""

    def __init__(self, kubeconfig: Path) -> None:
        document = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._address = urlsplit(cluster["server"]).netloc
        self._context = ssl.create_default_context(cadata=_text(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:  # the ssl module reads keys from files alone
            pair.write(_text(user["client-key-data"]) + _text(user["client-certificate-data"]))
            pair.flush()
            self._context.load_cert_chain(pair.name)

    def get(self, path: str) -> dict[str, Any]:
        """Return the object at `path`."""
        return _object(self._request("GET", path))

    def text(self, path: str) -> str:
        """Return the answer at `path` as it is, for the health pages."""
        return self._request("GET", path)

    def apply(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make the object at `path` say what `body` says (server-side apply); the same again changes nothing."""
        content = json.dumps(body)
        return _object(
            self._request("PATCH", f"{path}?fieldManager=sluice&force=true", content, "application/apply-patch+yaml")
        )

    def _request(self, method: str, path: str, body: str | None = None, content_type: str | None = None) -> str:
        connection = http.client.HTTPSConnection(self._address, timeout=_TIMEOUT_SECONDS, context=self._context)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnreachable(str(error)) from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise ApiRefused(method, path, status=answer.status, message=_message(text))
        return text


def _object(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text)
    return content


def _message(text: str) -> str:
    try:
        return str(_object(text)["message"])
    except (ValueError, KeyError):
        return text.strip()[:300]


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
