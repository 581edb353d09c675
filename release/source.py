"""What a release is made of: one commit of this checkout, and what the changelog says of its version.

Everything that could be wrong is looked at before anything is built, and all of it is said at once.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import AnswerIsNo
from sluice.git import Git

_CHANGELOG = "CHANGELOG.md"
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_IN_PACKAGE = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
_MOST_NAMED = 5


class NotReady(AnswerIsNo):
    """The checkout is not what a release of that version can be made of."""

    def __init__(self, version: str, problems: list[str]) -> None:
        listed = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{version} cannot be released yet; nothing was built:\n{listed}")


@dataclass(frozen=True, slots=True)
class Source:
    """The commit of a release."""

    version: str
    commit: str
    epoch: int
    """When it was committed, in seconds since 1970: the time of everything in the release."""
    notes: str
    """The changelog's section of the version, without its heading."""


def source_of(checkout: Path, version: str) -> Source:
    """Return what is to be released: the commit that `checkout` stands on. Raises `NotReady`, `GitRefused`."""
    git = Git(checkout)
    commit, epoch = git.text("log", "-1", "--format=%H %ct").split()
    problems = []
    if not _VERSION.fullmatch(version):
        problems.append(f'"{version}" is no version; write three numbers, such as 1.4.0')
    written = _IN_PACKAGE.search((git.content(commit, "sluice/__init__.py") or b"").decode())
    if written is None or written[1] != version:
        stands = f'"{written[1]}"' if written else "nothing"
        problems.append(f'sluice/__init__.py: __version__ is {stands}; write "{version}" there, and commit')
    changed = git.text("status", "--porcelain").splitlines()
    if changed:
        names = ", ".join(line.split(maxsplit=1)[1] for line in changed[:_MOST_NAMED])
        more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
        problems.append(f"the tree is not what was committed: {names}{more}; commit it, or take it away")
    notes = section_of((git.content(commit, _CHANGELOG) or b"").decode(), version)
    if not notes:
        problems.append(f'{_CHANGELOG}: no section "## {version}, DATE" that says something; write it, and commit')
    elif "\n### Upgrading\n" not in f"\n{notes}\n":
        problems.append(f'{_CHANGELOG}: {version} has no "### Upgrading"; say what to edit, or that there is nothing')
    if problems:
        raise NotReady(version, problems)
    return Source(version, commit, int(epoch), notes)


def section_of(changelog: str, version: str) -> str:
    """Return what a changelog says of a version, without the heading; nothing where it does not."""
    found = re.search(rf"^## {re.escape(version)}(?:,[^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def export(checkout: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into `folder`: nothing that is not in git, and the commit's own name among them."""
    archive = Git(checkout).raw("archive", "--format=tar", commit)
    subprocess.run(["tar", "--extract", "--file=-"], cwd=folder, input=archive, check=True)
