"""What git says of a registry folder at another commit.

Git is asked as a program, and only for commits: a name that git would take for an option is refused.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping, Sequence
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


def contents_at(folder: Path, reference: str, files: Sequence[str]) -> Mapping[str, bytes] | None:
    """Return the bytes of files, named from `folder`, at the commit that `reference` means; None where there is none.

    Files that the commit does not have are left out. Git is started once, however many they are: each start takes as
    long as reading a small registry.
    """
    asked = [file for file in files if "\n" not in file]
    lines = [f"{reference}^{{commit}}", *(f"{reference}:./{file}" for file in asked)]
    said = None if "\n" in reference else _git(folder, "cat-file", "--batch", said="\n".join([*lines, ""]).encode())
    if said is None:
        return None
    answers = io.BytesIO(said)
    if _object(answers, kind=b"commit") is None:
        return None
    contents = {file: _object(answers, kind=b"blob") for file in asked}
    return {file: content for file, content in contents.items() if content is not None}


def _object(answers: io.BytesIO, *, kind: bytes) -> bytes | None:
    """Read the next answer of `git cat-file --batch`: `ID KIND SIZE` and so many bytes, or `NAME missing`.

    Return None where it is missing or of another kind, such as a folder.
    """
    head = answers.readline().split()
    if len(head) != 3 or not head[2].isdigit():
        return None
    content = answers.read(int(head[2]))
    answers.readline()
    return content if head[1] == kind else None


def restore(folder: Path, commit: str, into: Path) -> None:
    """Write `folder` as it was at a commit into an empty folder; nothing where the commit does not have it."""
    archive = _git(folder, "archive", "--format=tar", commit, ".")
    if archive:
        import tarfile  # only a comparison of whole folders needs it

        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(into, filter="data")


def _git(folder: Path, *arguments: str, said: bytes = b"") -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=said,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
