"""Applies what was merged to the environments that it changes, one after the other, and says where each stands.

dev comes first and production last; after one that fails none is begun. What was applied is marked in git, so that of
two merges in a row the second run does what the first did not come to, and an older commit never goes over a newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sluice.errors import SluiceError
from sluice.git import Git, GitRefused
from sluice.gitops.marks import Marks
from sluice.registry.policy import is_production

_OF_ALL = ("Pulumi.yaml", "__main__.py", "components", "stacks")
"""What every environment is made by, beside its own manifests and settings."""


class State(StrEnum):
    """Where an environment stands after a run."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    OVERTAKEN = "overtaken"
    FAILED = "failed"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True)
class Stand:
    """One environment after a run: what was done, in words, or what went wrong, and by which exit code."""

    environment: str
    state: State
    commit: str
    said: str = ""
    exit_code: int = 0


class Deployer(Protocol):
    """Whoever makes a cluster what git says."""

    def up(self, environment: str) -> str:
        """Make an environment what git says, and say what changed. Raises SluiceError."""

    def verify(self, environment: str) -> Sequence[str]:
        """Return what is not as git says afterwards, nothing where all is well. Raises SluiceError."""


def in_order(environments: Sequence[str]) -> tuple[str, ...]:
    """Sort environments as they are applied: dev, what is neither, production and what is named after it."""

    def rank(environment: str) -> tuple[int, str]:
        return (0 if environment == "dev" else 2 if is_production(environment) else 1), environment

    return tuple(sorted(environments, key=rank))


def changed(git: Git, environment: str, since: str | None, until: str) -> bool:
    """Whether anything that an environment is made of differs between two commits. Raises GitRefused."""
    if since is None:
        return True
    prefix = git.text("rev-parse", "--show-prefix")
    own = (f"manifests/{environment}", f"registry/rollouts/{environment}.yaml", f"Pulumi.{environment}.yaml", *_OF_ALL)
    paths = [f":(top,literal){prefix}{path}" for path in own]
    return bool(git.text("diff", "--name-only", since, until, "--", *paths))


@dataclass(frozen=True, slots=True)
class Applying:
    """Applies the commit that is checked out. `everything` asks for what has not changed, too."""

    git: Git
    marks: Marks
    deployer: Deployer
    everything: bool = False
    say: Callable[[str], None] = lambda _: None

    def run(self, environments: Sequence[str]) -> tuple[Stand, ...]:
        """Apply what changed, in order. What goes wrong is in the result. Raises GitRefused."""
        commit = self.git.text("rev-parse", "HEAD")
        stands: list[Stand] = []
        for environment in in_order(environments):
            if any(stand.state is State.FAILED for stand in stands):
                stands.append(Stand(environment, State.NOT_BEGUN, commit))
                continue
            stands.append(self._one(environment, commit))
        return tuple(stands)

    def _one(self, environment: str, commit: str) -> Stand:
        before = self.marks.applied(environment)
        if before is not None and before != commit and self._is_newer(before, commit):
            return Stand(
                environment, State.OVERTAKEN, commit, f"commit {before[:12]}, which is newer, is there already"
            )
        failed_before = self.marks.failed(environment) is not None
        if not (self.everything or failed_before or changed(self.git, environment, before, commit)):
            return Stand(environment, State.UNCHANGED, commit, f"as of commit {before[:12] if before else ''}")
        self.say(f"{environment}: commit {commit[:12]} ...")
        try:
            said = self.deployer.up(environment)
            complaints = tuple(self.deployer.verify(environment))
        except SluiceError as error:
            return self._failed(environment, commit, str(error), error.exit_code)
        if complaints:
            return self._failed(environment, commit, "; ".join(complaints), 1)
        self.marks.mark_applied(environment, commit)
        return Stand(environment, State.APPLIED, commit, said)

    def _failed(self, environment: str, commit: str, said: str, exit_code: int) -> Stand:
        self.marks.mark_failed(environment, commit)
        return Stand(environment, State.FAILED, commit, said, exit_code)

    def _is_newer(self, other: str, commit: str) -> bool:
        try:
            self.git.text("merge-base", "--is-ancestor", commit, other)
        except GitRefused:
            return False
        return True
