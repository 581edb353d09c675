"""Which commit was applied to an environment, and which one failed: refs beside everybody's branches.

`refs/sluice/applied/ENVIRONMENT` is the last commit that was applied and verified, `refs/sluice/failed/ENVIRONMENT` one
that was not; a success takes the failure away. So a run that was replaced by a newer one is made good by that, and
anybody can see where an environment stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.git import Git, GitRefused
from sluice.gitops.branches import Others

_APPLIED, _FAILED = "refs/sluice/applied", "refs/sluice/failed"
_FETCHING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Marks:
    """The refs, in the repository that others push to, or in this one where there is none."""

    others: Others

    def applied(self, environment: str) -> str | None:
        """Return the commit that was applied last, as far as this clone has it or can fetch it."""
        return self._commit(f"{_APPLIED}/{environment}")

    def failed(self, environment: str) -> str | None:
        """Return the commit that could not be applied, None where the last one could."""
        return self._commit(f"{_FAILED}/{environment}")

    def mark_applied(self, environment: str, commit: str) -> None:
        """Say that a commit was applied and verified. Raises GitRefused."""
        self._set(f"{_APPLIED}/{environment}", commit)
        if self.failed(environment) is not None:
            self._set(f"{_FAILED}/{environment}", "")

    def mark_failed(self, environment: str, commit: str) -> None:
        """Say that a commit could not be applied. Raises GitRefused."""
        self._set(f"{_FAILED}/{environment}", commit)

    @property
    def _git(self) -> Git:
        return self.others.git

    def _commit(self, name: str) -> str | None:
        remote = self.others.remote
        if remote is None:
            return self._git.commit_of(name)
        said = self._git.text("ls-remote", remote, name, patience_seconds=_FETCHING_SECONDS).split()
        if not said:
            return None
        try:
            self._git.text("fetch", "--quiet", "--no-tags", remote, said[0], patience_seconds=_FETCHING_SECONDS)
        except GitRefused:
            return None  # history was written anew, and what was applied is no part of it
        return said[0]

    def _set(self, name: str, commit: str) -> None:
        remote = self.others.remote
        if remote is None:
            self._git.text("update-ref", *([name, commit] if commit else ["-d", name]))
        else:
            asked = ("push", "--quiet", "--no-verify", remote, f"+{commit}:{name}" if commit else f":{name}")
            self._git.text(*asked, patience_seconds=_FETCHING_SECONDS)
