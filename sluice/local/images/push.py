"""Pushes an image to a registry by the OCI distribution API, blob by blob, leaving out what the registry has.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Only the few calls of a push are made; who may
push is credentials.py's matter.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import tarfile
import urllib.error
import urllib.request
from email.message import Message
from typing import IO
from urllib.parse import urljoin, urlsplit

from sluice.local.images.archive import MANIFEST_TYPE
from sluice.local.images.building import Image
from sluice.local.images.credentials import Credentials, bearer_token, credentials_for
from sluice.local.images.errors import PushError

_TIMEOUT_SECONDS = 60.0
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def push(image: Image, registry: str) -> str:
    """Push `image` below `registry`, a host with port and path (`registry.example.com/sluice`); its reference there.

    A registry on this machine's own loopback address is spoken to in plain HTTP, as Docker does; every other in HTTPS.
    Raises PushError.
    """
    repository = _Repository(registry.strip("/"), image.name.rpartition("/")[2])
    with tarfile.open(image.archive) as archive:
        manifest = _read(archive, image.digest)
        described = json.loads(manifest)
        for blob in (*described["layers"], described["config"]):
            if not repository.has_blob(blob["digest"]):
                content = archive.extractfile(_member(blob["digest"]))
                assert content is not None, "the archive was written with this blob"  # noqa: S101 - narrows a type
                repository.put_blob(blob["digest"], blob["size"], content)
    repository.put_manifest(image.digest, manifest)
    return f"{repository.name}@{image.digest}"


class _Repository:
    """One image's repository in a registry: told who pushes when it asks."""

    def __init__(self, registry: str, image: str) -> None:
        host, _, path = registry.partition("/")
        self.name = f"{registry}/{image}"
        scheme = "http" if urlsplit(f"//{host}").hostname in _LOCAL_HOSTS else "https"
        self._base = f"{scheme}://{host}/v2/{f'{path}/' if path else ''}{image}/"
        self._host = host
        self._authorization: str | None = None

    def has_blob(self, digest: str) -> bool:
        return self._request("HEAD", f"blobs/{digest}", accepted=(200, 404))[0] == 200

    def put_blob(self, digest: str, size: int, content: IO[bytes]) -> None:
        _, headers = self._request("POST", "blobs/uploads/", body=b"", accepted=(202,))
        upload = headers.get("Location")
        if upload is None:
            raise PushError(self.name, said="it began an upload without saying where to", advice="is it a registry?")
        separator = "&" if "?" in upload else "?"
        self._request(
            "PUT",
            f"{upload}{separator}digest={digest}",
            body=content,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
            accepted=(201,),
        )

    def put_manifest(self, digest: str, manifest: bytes) -> None:
        self._request(
            "PUT", f"manifests/{digest}", body=manifest, headers={"Content-Type": MANIFEST_TYPE}, accepted=(201,)
        )

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | None = None,
        headers: dict[str, str] | None = None,
        accepted: tuple[int, ...],
    ) -> tuple[int, Message]:
        """Ask, once more with credentials if the registry wants some; the status and headers of an accepted answer."""
        status, answered, said = self._once(method, path, body, headers or {})
        if status == 401:  # not logged in yet, or the token, good for a few minutes, ran out
            self._authorization = self._log_in(answered)
            if body is not None and not isinstance(body, bytes):
                body.seek(0)
            status, answered, said = self._once(method, path, body, headers or {})
        if status not in accepted:
            advice = "log in with `docker login`" if status in (401, 403) else "is its address right?"
            raise PushError(self.name, said=f"it answered {method} with {status} {said}".rstrip(), advice=advice)
        return status, answered

    def _once(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: dict[str, str]
    ) -> tuple[int, Message, str]:
        address = urljoin(self._base, path)
        request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310 - http(s) only
        # A registry may send the client on to a storage service, which must not see the registry's credentials.
        if self._authorization is not None and urlsplit(address).netloc == self._host:
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                return response.status, response.headers, ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read(500).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise PushError(self.name, said=str(error), advice="is its address right, and does it answer?") from error

    def _log_in(self, answered: Message) -> str:
        credentials: Credentials | None = credentials_for(self._host)
        challenge = answered.get("WWW-Authenticate", "")
        if challenge.lower().startswith("bearer"):
            return f"Bearer {bearer_token(challenge, credentials, self.name)}"
        if credentials is None:
            raise PushError(self.name, said="it wants to know who pushes", advice="log in with `docker login`")
        return credentials.basic


def _read(archive: tarfile.TarFile, digest: str) -> bytes:
    content = archive.extractfile(_member(digest))
    data = content.read() if content else b""
    if hashlib.sha256(data).hexdigest() != digest.removeprefix("sha256:"):
        raise PushError(str(archive.name), said=f"{digest} is damaged in it", advice="delete the file and build again")
    return data


def _member(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
