"""Keys for teams that call the gateway: made here, shown once, and kept as a digest alone.

The digest is encrypted in `Pulumi.ENVIRONMENT.yaml`; the next update puts it into the Secret that the gateway reads
while it runs. Of a team's keys the newest two are good, so that callers can change over in their own time.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sluice.deploy.engine import Engine
from sluice.deploy.launch import declared_environment
from sluice.errors import AnswerIsNo
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain import ensure_pulumi
from sluice.progress import Progress

_RANDOM_BYTES = 32
"""So much chance that a digest needs neither salt nor slowness: nothing can be guessed."""

_KEPT = 2
_TEAM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


class TeamUnusable(AnswerIsNo):
    """A name that cannot be a team's."""

    def __init__(self, team: str) -> None:
        super().__init__(
            f"{team!r} cannot name a team: it becomes a file and a label; write small letters, digits and dashes, "
            "at most 40, that begin and end with a letter or a digit"
        )


class TeamUnknown(AnswerIsNo):
    """A team that has no key."""

    def __init__(self, team: str, environment: str, teams: tuple[str, ...]) -> None:
        super().__init__(f"team {team!r} has no key in {environment}; those that have: {', '.join(teams) or '(none)'}")


def teams(environment: str) -> tuple[str, ...]:
    """Return the teams that have a key in an environment; no passphrase is needed for that."""
    return declared_environment(environment).settings.teams or ()


def issue(environment: str, team: str, progress: Progress) -> str:
    """Make a key for a team and return it; nobody can read it again. Its newest key before stays good, older ones go.

    Raises `TeamUnusable`, `UnknownEnvironment`, `MissingPassphrase` or `PulumiFailed`.
    """
    if not _TEAM.fullmatch(team):
        raise TeamUnusable(team)
    known = teams(environment)
    key = f"sluice-{team}-{secrets.token_urlsafe(_RANDOM_BYTES)}"
    line = f"sha256:{sha256(key.encode()).hexdigest()}  # issued {datetime.now(UTC):%Y-%m-%d}"
    with tempfile.TemporaryDirectory(prefix="sluice-") as state:
        engine = _engine(environment, Path(state), progress)
        before = engine.configured(_setting(team), progress).splitlines() if team in known else []
        engine.configure_secret(_setting(team), "\n".join([line, *before][:_KEPT]), progress)
    return key


def revoke(environment: str, team: str, progress: Progress) -> None:
    """Take all keys of a team away. Raises `TeamUnknown`, and as `issue` does."""
    known = teams(environment)
    if team not in known:
        raise TeamUnknown(team, environment, known)
    with tempfile.TemporaryDirectory(prefix="sluice-") as state:
        _engine(environment, Path(state), progress).unconfigure(_setting(team), progress)


def _setting(team: str) -> str:
    return f'sluice:callers["{team}"]'


def _engine(environment: str, state: Path, progress: Progress) -> Engine:
    # The settings are a file: to change them takes Pulumi and the passphrase, and neither a cluster nor its state.
    return Engine(ensure_pulumi(cache_folder(), progress), PROJECT, environment, state, {})
