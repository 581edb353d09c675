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
from sluice.local.images.registry import Registry, parse

_TIMEOUT_SECONDS = 60.0


def push(image: Image, registry: str) -> str:
    """Push `image` below `registry`, a host with port and path (`registry.example.com/sluice`); its reference there.

    A registry on this machine's own loopback address is spoken to in plain HTTP, as Docker does; every other in HTTPS.
    Raises RegistryNameError before anything is sent, else PushError.
    """
    repository = _Repository(parse(registry), image.name.rpartition("/")[2])
    with _opened(image) as archive:
        manifest = _read(archive, image.digest)
        described = json.loads(manifest)
        for blob in (*described["layers"], described["config"]):
            if not repository.has_blob(blob["digest"]):
                repository.put_blob(blob["digest"], blob["size"], _content(archive, blob["digest"]))
    repository.put_manifest(image.digest, manifest)
    return f"{repository.name}@{image.digest}"


class _Repository:
    """One image's repository in a registry: told who pushes when it asks."""

    def __init__(self, registry: Registry, image: str) -> None:
        self.name = f"{registry.name}/{image}"
        self._base = f"{registry.origin}/v2/{f'{registry.path}/' if registry.path else ''}{image}/"
        self._registry = registry
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
        try:
            address = urljoin(self._base, path)
            scheme, netloc, *_ = urlsplit(address)
            if scheme not in ("http", "https"):
                raise PushError(self.name, said=f"it sends an upload on to {address}", advice="is it a registry?")
            request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310
            # A registry may send the client on to a storage service, which must not see the registry's credentials;
            # nor must who listens on the way, so the scheme counts too.
            if self._authorization is not None and f"{scheme}://{netloc}" == self._registry.origin:
                request.add_unredirected_header("Authorization", self._authorization)
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                return response.status, response.headers, ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read(500).decode(errors="replace")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise PushError(self.name, said=str(error), advice="is its address right, and does it answer?") from error

    def _log_in(self, answered: Message) -> str:
        credentials: Credentials | None = credentials_for(self._registry.log_in)
        challenge = answered.get("WWW-Authenticate", "")
        if challenge.lower().startswith("bearer"):
            token = bearer_token(challenge, credentials, self.name, is_plain=self._registry.is_plain)
            return f"Bearer {token}"
        if credentials is None:
            raise PushError(self.name, said="it wants to know who pushes", advice="log in with `docker login`")
        return credentials.basic


def _opened(image: Image) -> tarfile.TarFile:
    try:
        return tarfile.open(image.archive)
    except tarfile.TarError as error:
        raise _damaged(image.archive, image.digest) from error


def _read(archive: tarfile.TarFile, digest: str) -> bytes:
    data = _content(archive, digest).read()
    if hashlib.sha256(data).hexdigest() != digest.removeprefix("sha256:"):
        raise _damaged(archive.name, digest)
    return data


def _content(archive: tarfile.TarFile, digest: str) -> IO[bytes]:
    try:
        content = archive.extractfile("blobs/" + digest.replace(":", "/"))
    except (KeyError, tarfile.TarError) as error:
        raise _damaged(archive.name, digest) from error
    if content is None:
        raise _damaged(archive.name, digest)
    return content


def _damaged(archive: object, digest: str) -> PushError:
    return PushError(str(archive), said=f"{digest} is damaged in it", advice="delete the file and build again")
