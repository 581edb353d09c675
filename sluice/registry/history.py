"""What git says of a registry folder at another commit.

Git is asked as a program, and only for commits: a name that git would take for an option is refused.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from sluice.errors import SluiceError

_PATIENCE_SECONDS = 60


class NothingToCompareWith(SluiceError):
    """A commit was named that the folder's git does not have, or the folder is in no git repository at all."""

    def __init__(self, folder: Path, reference: str) -> None:
        super().__init__(
            f'{folder}: git knows no commit "{reference}" here; name one that `git log` shows, '
            "or fetch it: the checks of a pull request often have the last commit alone "
            "(for actions/checkout: fetch-depth: 0)"
        )


def commit_of(folder: Path, reference: str) -> str | None:
    """Return the id of the commit that `reference` means in the repository of `folder`, None where there is none."""
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    return found.decode().strip() if found else None


def content_at(folder: Path, commit: str, file: str) -> bytes | None:
    """Return the bytes of a file, named from `folder`, at a commit; None where the commit does not have it."""
    return _git(folder, "show", f"{commit}:./{file}")


def restore(folder: Path, commit: str, into: Path) -> None:
    """Write `folder` as it was at a commit into an empty folder; nothing where the commit does not have it."""
    archive = _git(folder, "archive", "--format=tar", commit, ".")
    if archive:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(into, filter="data")


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=False, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
