"""Reads the name of a registry as a person writes it: where its API answers, and under what Docker keeps its log-in.

The two are the name's own host for every registry but Docker Hub, whose name leads elsewhere for both. How one logs in
and pushes is left to credentials.py and push.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sluice.local.images.errors import RegistryNameError

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# The grammar of https://pkg.go.dev/github.com/distribution/reference, without tag and digest.
_NAME = re.compile(
    rf"(?P<host>\[[0-9a-fA-F:]+\]|{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?(?P<path>(?:/{_COMPONENT})*)"
)
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_DOCKER_HUB_API = "registry-1.docker.io"
_DOCKER_HUB_LOG_IN = "https://index.docker.io/v1/"
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry, and the path in it below which the images go.

    `name` is what references begin with; `origin` the scheme, host and port of its API; `path` has no slash at either
    end and may be empty; `log_in` is the key of its log-in in Docker's configuration.
    """

    name: str
    origin: str
    path: str
    log_in: str

    @property
    def is_plain(self) -> bool:
        """Whether it is spoken to in plain HTTP, as only one on this machine's own loopback address is."""
        return self.origin.startswith("http://")


def parse(given: str) -> Registry:
    """The registry of `HOST[:PORT][/PATH]`; raises RegistryNameError, which shows the right form, for anything else."""
    name = given.strip("/")
    found = _match(name)
    if found is None:
        raise RegistryNameError(given, suggested=_suggested(given))
    host = name.partition("/")[0]
    path = found["path"].strip("/")
    if host.lower() in _DOCKER_HUB:
        return Registry(name, f"https://{_DOCKER_HUB_API}", path, _DOCKER_HUB_LOG_IN)
    scheme = "http" if is_local(f"//{host}") else "https"
    return Registry(name, f"{scheme}://{host}", path, host)


def is_local(address: str) -> bool:
    """Whether the host of the URL `address` is this machine's own loopback address."""
    try:
        return urlsplit(address).hostname in _LOCAL_HOSTS
    except ValueError:
        return False


def _match(name: str) -> re.Match[str] | None:
    found = _NAME.fullmatch(name)
    if found is None or int(found["port"] or 0) > _HIGHEST_PORT:
        return None
    try:
        urlsplit(f"//{name}")
    except ValueError:  # brackets around what is no IPv6 address
        return None
    return found


def _suggested(given: str) -> str | None:
    """What was probably meant: without scheme, user, tag, digest or query, and in small letters; None when unclear."""
    rest = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", given.strip())
    rest = re.split(r"[?#]", rest)[0].rpartition("@")[2] if "@sha256:" not in rest else rest.partition("@sha256:")[0]
    host, slash, path = rest.partition("/")
    name = (host + slash + path.partition(":")[0].lower()).strip("/")
    return name if _match(name) is not None else None
