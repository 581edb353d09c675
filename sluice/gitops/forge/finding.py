"""Which forge a repository lies on, by the address of its remote and what the environment's variables say.

A token goes to the forge that it was given for and to no other: to github.com, gitlab.com, the host that CI says it
runs at, or one that a person named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from sluice.errors import SluiceError
from sluice.gitops.forge.forge import Forge
from sluice.gitops.forge.github import GitHub
from sluice.gitops.forge.gitlab import GitLab

_TOKENS = {"github": ("GH_TOKEN", "GITHUB_TOKEN"), "gitlab": ("GITLAB_TOKEN",)}
_LIKE_SSH = re.compile(r"^(?:[^@/\s]+@)?([^:/\s]+):(?!//)(.+)$")


class Kind(StrEnum):
    """What is asked for requests; `none`: the branch is pushed, and its text printed."""

    AUTO = "auto"
    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


class NoToken(SluiceError):
    """There is no token for a forge."""

    def __init__(self, kind: Kind) -> None:
        names = " or ".join(_TOKENS[kind])
        super().__init__(f"no token for {kind}: set {names}, or push the branch alone by --forge none")


class NotOnAForge(SluiceError):
    """A forge was named, and the remote's address leads to no project on it."""

    exit_code = 2

    def __init__(self, kind: Kind, address: str) -> None:
        super().__init__(f"{address}: is no address of a project on {kind}; push the branch alone by --forge none")


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    project: str


def forge_of(address: str | None, kind: Kind, variables: Mapping[str, str]) -> Forge | None:
    """Return the forge that a remote's address leads to, None where there is none to ask.

    `SLUICE_FORGE_API` names the API of a forge of one's own; elsewhere it is what its host usually has. Without a
    token, a forge that was only guessed is not asked. Raises NoToken, NotOnAForge.
    """
    if kind is Kind.NONE or address is None:
        return None
    place = _place(address)
    found = _guessed(place, variables) if kind is Kind.AUTO else kind
    if found is None:
        return None
    if place is None:
        raise NotOnAForge(found, address)
    token = next((variables[name] for name in _TOKENS[found] if variables.get(name)), None)
    if token is None:
        if kind is Kind.AUTO:
            return None
        raise NoToken(found)
    api = _api(found, place, variables)
    return GitHub(place.project, api, token) if found is Kind.GITHUB else GitLab(place.project, api, token)


def _place(address: str) -> _Place | None:
    parts = urlsplit(address)
    if parts.scheme in {"https", "http", "ssh", "git"} and parts.hostname:
        host, path = parts.hostname, parts.path
    elif "://" not in address and (like_ssh := _LIKE_SSH.match(address)):
        host, path = like_ssh.groups()
    else:
        return None
    project = path.strip("/").removesuffix(".git")
    return _Place(host.lower(), project) if "/" in project else None


def _guessed(place: _Place | None, variables: Mapping[str, str]) -> Kind | None:
    if place is None:
        return None
    if place.host == "github.com" or place.host == _host(variables.get("GITHUB_SERVER_URL")):
        return Kind.GITHUB
    if place.host == "gitlab.com" or place.host == _host(variables.get("CI_SERVER_URL")):
        return Kind.GITLAB
    return None


def _api(kind: Kind, place: _Place, variables: Mapping[str, str]) -> str:
    named = variables.get("SLUICE_FORGE_API")
    if named:
        if urlsplit(named).scheme not in {"https", "http"}:
            raise NotOnAForge(kind, named)
        return named.rstrip("/")
    if kind is Kind.GITLAB:
        return f"https://{place.host}/api/v4"
    return "https://api.github.com" if place.host == "github.com" else f"https://{place.host}/api/v3"


def _host(address: str | None) -> str | None:
    return urlsplit(address).hostname if address else None
