"""Finds what a registry wants to know of who pushes: the log-in that `docker login` kept, and the token made of it.

Nothing is asked of the person and nothing is kept; a log-in is read when a registry asks for one, and never printed.
"""

from __future__ import annotations

import base64
import http.client
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
from sluice.local.images.registry import is_local

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


def credentials_for(log_in: str) -> Credentials | None:
    """What `docker login` kept under the key `log_in` in Docker's configuration, or in the helper it names; else None.

    Raises PushError when the configuration, or what the helper answers, is there but cannot be read.
    """
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    file = folder / "config.json"
    if not file.is_file():
        return None
    # The text of an error could quote the file, so none is shown.
    unreadable = PushError(log_in, said=f"{file} cannot be read", advice="mend it, or log in again with `docker login`")
    try:
        config = json.loads(file.read_text())
        helper = config.get("credHelpers", {}).get(log_in) or config.get("credsStore")
        kept = config.get("auths", {}).get(log_in, {}).get("auth")
    except (OSError, ValueError, AttributeError) as error:
        raise unreadable from error
    if helper:
        return _ask(str(helper), log_in)
    if not kept:
        return None
    try:
        user, colon, password = base64.b64decode(kept, validate=True).decode().partition(":")
    except (ValueError, TypeError) as error:  # binascii.Error and UnicodeDecodeError are ValueErrors
        raise unreadable from error
    if not colon:
        raise unreadable
    return Credentials(user, password)


def bearer_token(challenge: str, credentials: Credentials | None, repository: str, *, is_plain: bool) -> str:
    """The token to push to `repository` (HOST/PATH) with, in answer to a `Bearer` challenge.

    `is_plain` says that the registry itself is on this machine and spoken to in plain HTTP: only then may its token
    service be. https://distribution.github.io/distribution/spec/auth/token/. Raises PushError, naming `repository`,
    when the token service must not be told the log-in, refuses, does not answer or answers with no token.
    """
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith(("https://", "http://")):
        raise PushError(repository, said="it names no token service", advice="is it a registry?")
    if realm.startswith("http://") and not (is_plain and is_local(realm)):
        said = f"its token service {realm} would be sent the log-in unencrypted, so it was not asked"
        raise PushError(repository, said=said, advice="the registry must name one with https://")
    # The challenge to the first question, whether a blob is there, names a scope that only lets one read.
    scope = f"repository:{repository.partition('/')[2]}:pull,push"
    wanted = {"service": fields.get("service", ""), "scope": scope}
    try:
        request = urllib.request.Request(f"{realm}?{urlencode(wanted)}")  # noqa: S310 - its scheme was just checked
        if credentials is not None:
            request.add_unredirected_header("Authorization", credentials.basic)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            said = f"its token service answered {error.code}"
        raise PushError(repository, said=said, advice="log in with `docker login`") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PushError(repository, said=f"its token service did not answer: {error}", advice="try again") from error
    token = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
    # A line break would make it another header.
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise PushError(repository, said="its token service answered with no token", advice="is it a registry?")
    return token


def _ask(helper: str, log_in: str) -> Credentials | None:
    """Ask one of Docker's credential helpers; None when it keeps nothing under that key."""
    program = f"docker-credential-{helper}"
    try:
        ran = subprocess.run([program, "get"], input=log_in.encode(), capture_output=True, check=False)
    except (OSError, ValueError) as error:
        said = f"Docker's configuration names a credential helper, {program}, that is missing or cannot be run"
        raise PushError(log_in, said=said, advice="put it on the PATH, or log in without a helper") from error
    if ran.returncode != 0:
        return None
    try:
        answer = json.loads(ran.stdout)
        user, password = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise _no_log_in(program, log_in) from error
    if not isinstance(user, str) or not isinstance(password, str):
        raise _no_log_in(program, log_in)
    return Credentials(user, password)


def _no_log_in(program: str, log_in: str) -> PushError:
    # What it answered may be a password, so it is not shown.
    said = f"{program} answered with something that is no user and password"
    return PushError(log_in, said=said, advice="log in again with `docker login`")
