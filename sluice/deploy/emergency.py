"""What a rollback needs to know of an environment, got from as few files as can be, and who is asking.

Somebody may be in the middle of an edit when the pager rings: files that cannot be read cost a list of names and no
more. Only the namespace must be found.
"""

from __future__ import annotations

import getpass
import subprocess
from dataclasses import dataclass

from sluice.deploy.launch import require_environment
from sluice.local.folders import PROJECT
from sluice.registry import Environment, InvalidRegistry, load_environment, load_namespace

_GIT_PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Emergency:
    """An environment's namespace, and what is declared of it; None where the files are not in order, and `why`."""

    namespace: str
    declared: Environment | None
    why: str = ""


def emergency(environment: str) -> Emergency:
    """Find what can be found. Raises `UnknownEnvironment`, or `InvalidRegistry` where there is not even a namespace."""
    require_environment(environment)
    namespace = load_namespace(PROJECT, environment)
    try:
        return Emergency(namespace, load_environment(PROJECT, environment))
    except InvalidRegistry as error:
        return Emergency(namespace, None, str(error).partition("\n")[0])


def whoever_types() -> str:
    """Return the name that git knows this person by, else the one that the machine does."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(PROJECT), "config", "user.name"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_GIT_PATIENCE_SECONDS,
        )
        known = asked.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        known = ""
    return known or getpass.getuser()
