"""Finds what a registry wants to know of who pushes: the log-in that `docker login` kept, and the token made of it.

Nothing is asked of the person and nothing is kept; a log-in is read when a registry asks for one, and never printed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from sluice.local.images.errors import PushError

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A registry's user and password; neither is part of its printed form."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def credentials_for(host: str) -> Credentials | None:
    """What `docker login HOST` kept in Docker's configuration, or in the helper that it names; else None.

    Raises PushError when the configuration is there but cannot be read.
    """
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    file = folder / "config.json"
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        # The error's own text could quote the file.
        raise PushError(host, said=f"{file} cannot be read", advice="mend it, or log in again") from error
    helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
    if helper:
        return _ask(helper, host)
    kept = config.get("auths", {}).get(host, {}).get("auth")
    if not kept:
        return None
    user, _, password = base64.b64decode(kept).decode().partition(":")
    return Credentials(user, password)


def bearer_token(challenge: str, credentials: Credentials | None, repository: str) -> str:
    """The token to push to `repository` (HOST/PATH) with, in answer to a `Bearer` challenge.

    https://distribution.github.io/distribution/spec/auth/token/. Raises PushError, naming `repository`, when the token
    service refuses or does not answer.
    """
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith(("https://", "http://")):
        raise PushError(repository, said="it names no token service", advice="is it a registry?")
    # The challenge to the first question, whether a blob is there, names a scope that only lets one read.
    scope = f"repository:{repository.partition('/')[2]}:pull,push"
    wanted = {"service": fields.get("service", ""), "scope": scope}
    request = urllib.request.Request(f"{realm}?{urlencode(wanted)}")  # noqa: S310 - its scheme was just checked
    if credentials is not None:
        request.add_unredirected_header("Authorization", credentials.basic)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            said = f"its token service answered {error.code}"
        raise PushError(repository, said=said, advice="log in with `docker login`") from error
    except (OSError, ValueError) as error:
        raise PushError(repository, said=f"its token service did not answer: {error}", advice="try again") from error
    return str(answer.get("token") or answer.get("access_token") or "")


def _ask(helper: str, host: str) -> Credentials | None:
    """Ask one of Docker's credential helpers; None when it keeps nothing for the host."""
    try:
        ran = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=host, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        advice = f"put docker-credential-{helper} on the PATH, or log in without a helper"
        raise PushError(
            host, said="Docker's configuration names a credential helper that is missing", advice=advice
        ) from error
    if ran.returncode != 0:
        return None
    answer = json.loads(ran.stdout)
    return Credentials(answer["Username"], answer["Secret"])
