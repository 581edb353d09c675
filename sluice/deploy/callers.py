"""Keys for teams that call the gateway: made here, shown once, and kept as a digest alone.

The digest is encrypted in `Pulumi.ENVIRONMENT.yaml`; the next update puts it into the Secret that the gateway reads
while it runs. Of a team's keys the newest two are good, so that callers can change over in their own time. Where an
environment's secrets come from a store, its owner puts the digest there.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sluice.deploy.engine import Engine
from sluice.deploy.launch import declared_environment
from sluice.errors import AnswerIsNo
from sluice.local.folders import PROJECT, cache_folder
from sluice.local.toolchain import ensure_pulumi
from sluice.progress import Progress
from sluice.registry import ExternalSecrets

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


class TeamsAreInStore(AnswerIsNo):
    """The digests of callers' keys come from a store, which its own tools read and write."""

    def __init__(self, environment: str, place: str) -> None:
        super().__init__(f"Pulumi.{environment}.yaml: the teams of {environment} are in a store; see {place}")


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was made, which nobody can read again, and the line that stands for it.

    `to_be_put` is the place in a store where the line must go; None where the settings have it already.
    """

    key: str
    line: str
    to_be_put: str | None


def teams(environment: str) -> tuple[str, ...]:
    """Return the teams that have a key in an environment; no passphrase is needed for that.

    Raises `TeamsAreInStore` or `UnknownEnvironment`.
    """
    settings = declared_environment(environment).settings
    if settings.secrets is not None:
        raise TeamsAreInStore(environment, _place(settings.secrets))
    return settings.teams or ()


def issue(environment: str, team: str, progress: Progress) -> Issued:
    """Make a key for a team. Its newest key before stays good, older ones go.

    Raises `TeamUnusable`, `UnknownEnvironment`, `MissingPassphrase` or `PulumiFailed`.
    """
    if not _TEAM.fullmatch(team):
        raise TeamUnusable(team)
    store = declared_environment(environment).settings.secrets
    known = teams(environment) if store is None else ()
    key = f"sluice-{team}-{secrets.token_urlsafe(_RANDOM_BYTES)}"
    line = f"sha256:{sha256(key.encode()).hexdigest()}  # issued {datetime.now(UTC):%Y-%m-%d}"
    if store is not None:
        return Issued(key, line, f"{_place(store)}, property {team}")
    with tempfile.TemporaryDirectory(prefix="sluice-") as state:
        engine = _engine(environment, Path(state), progress)
        before = engine.configured(_setting(team), progress).splitlines() if team in known else []
        engine.configure_secret(_setting(team), "\n".join([line, *before][:_KEPT]), progress)
    return Issued(key, line, None)


def revoke(environment: str, team: str, progress: Progress) -> None:
    """Take all keys of a team away. Raises `TeamUnknown`, `TeamsAreInStore`, and as `issue` does."""
    known = teams(environment)
    if team not in known:
        raise TeamUnknown(team, environment, known)
    with tempfile.TemporaryDirectory(prefix="sluice-") as state:
        _engine(environment, Path(state), progress).unconfigure(_setting(team), progress)


def _place(store: ExternalSecrets) -> str:
    entry = f"entry {store.callers}" if store.callers else "an entry that sluice:secrets.callers must name first"
    return f"{store.store_kind} {store.store}, {entry}"


def _setting(team: str) -> str:
    return f'sluice:callers["{team}"]'


def _engine(environment: str, state: Path, progress: Progress) -> Engine:
    # The settings are a file: to change them takes Pulumi and the passphrase, and neither a cluster nor its state.
    return Engine(ensure_pulumi(cache_folder(), progress), PROJECT, environment, state, {})
