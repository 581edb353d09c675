"""A commit's files in a folder of their own, as a work tree that git knows and the person never sees.

The rules look at git where they compare, so the folder is a real work tree and no copy. Hooks do not run for it. What
is wrong with its registry is said by commit and path, because nobody finds the folder afterwards.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sluice.git import Git, GitRefused
from sluice.registry import Finding, InvalidRegistry

_PATIENCE_SECONDS = 300
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")


@contextmanager
def checkout(git: Git, commit: str) -> Iterator[Path]:
    """Have the files of a commit in a folder while a block runs. Raises GitRefused."""
    with tempfile.TemporaryDirectory(prefix="sluice-checkout-") as scratch:
        folder = Path(scratch) / "files"
        asked = ("worktree", "add", "--quiet", "--detach", str(folder), commit)
        git.text(*_NO_HOOKS, *asked, patience_seconds=_PATIENCE_SECONDS)
        try:
            yield folder
        except InvalidRegistry as invalid:
            of_commit = f"{commit[:12]}:"
            raise InvalidRegistry(shown_from(one, folder, of_commit) for one in invalid.findings) from None
        finally:
            with suppress(GitRefused):  # what is left of it goes by git's own `worktree prune`
                git.text("worktree", "remove", "--force", str(folder))


def shown_from(finding: Finding, folder: Path, instead: str = "") -> Finding:
    """Return a finding that names its files, in the sentence as well, from a folder that nobody finds afterwards."""
    file, problem = (text.replace(f"{folder}/", instead) for text in (finding.file, finding.problem))
    return dataclasses.replace(finding, file=file, problem=problem)


def changed_files(folder: Path) -> Mapping[str, bytes | None]:
    """Return what differs in a work tree from its commit, by paths from its top; None for what is gone."""
    git = Git(folder)
    git.text("add", "--all", "--", ":/")
    names = git.raw("diff", "--cached", "--name-only", "--no-renames", "-z", "HEAD").decode().split("\0")
    return {name: _content(folder / name) for name in names if name}


def diff_of(folder: Path, *paths: str) -> str:
    """Return the difference of a work tree to its commit as text, after `changed_files`."""
    return Git(folder).text("diff", "--cached", "--no-renames", "--no-color", "--no-ext-diff", "HEAD", "--", *paths)


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
