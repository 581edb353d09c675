"""A cluster's trust in a run of CI instead of a key that lies somewhere: the run's own OIDC token, asked for when used.

An API server that is told of the issuer (structured authentication) knows the run by it: which repository, which
environment. GitHub hands tokens out for minutes, so kubectl's kind of plugin asks for a new one each time; GitLab puts
one for the job into a variable.
"""

from __future__ import annotations

import base64
import binascii
import json
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sluice.errors import SluiceError

_API_VERSION = "client.authentication.k8s.io/v1"
_URL, _TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
GIVEN = "SLUICE_ID_TOKEN"
_ASKING_SECONDS = 20


class NoIdentity(SluiceError):
    """The run has no token, and cannot get one."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"no OIDC token for this run: {problem}; on GitHub give the job `permissions: id-token: write`, "
            f"on GitLab `id_tokens: {GIVEN}`"
        )


def id_token(audience: str, variables: Mapping[str, str]) -> str:
    """Return the run's token for an audience. Raises NoIdentity."""
    if given := variables.get(GIVEN):
        return given
    if not (variables.get(_URL) and variables.get(_TOKEN)):
        raise NoIdentity(f"neither {GIVEN} nor {_URL} is set")
    request = urllib.request.Request(  # noqa: S310 - the runner says where
        f"{variables[_URL]}&audience={quote(audience, safe='')}",
        headers={"Authorization": f"bearer {variables[_TOKEN]}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_ASKING_SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["value"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoIdentity(f"the runner was asked, and {type(error).__name__}: {error}") from None


def exec_credential(token: str) -> dict[str, Any]:
    """Return what a plugin of a kubeconfig prints, with the token's own end."""
    status = {"token": token}
    ends = _ends(token)
    if ends is not None:
        status["expirationTimestamp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"apiVersion": _API_VERSION, "kind": "ExecCredential", "status": status}


def kubeconfig(server: str, certificate: str, audience: str, command: str) -> dict[str, Any]:
    """Return a kubeconfig without a secret; `certificate` is base64, empty where the system's own are enough."""
    cluster = {"server": server} | ({"certificate-authority-data": certificate} if certificate else {})
    plugin = {
        "apiVersion": _API_VERSION,
        "command": command,
        "args": ["ci", "token", "--audience", audience],
        "interactiveMode": "Never",
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "ci",
        "clusters": [{"name": "ci", "cluster": cluster}],
        "users": [{"name": "ci", "user": {"exec": plugin}}],
        "contexts": [{"name": "ci", "context": {"cluster": "ci", "user": "ci"}}],
    }


def _ends(token: str) -> datetime | None:
    """Read when a JWT ends; nobody here judges it, so what is none has no end."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (IndexError, ValueError, KeyError, TypeError, binascii.Error):
        return None
