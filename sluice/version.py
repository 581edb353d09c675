"""Which sluice this is: the version, which stands in `sluice/__init__.py` alone, and the commit where it is known.

A release is made of `git archive`, which writes the commit into commit.txt; in a checkout git is asked.
"""

from __future__ import annotations

from pathlib import Path

from sluice import __version__
from sluice.git import Git, GitRefused

_PACKAGE = Path(__file__).resolve().parent
_WRITTEN = _PACKAGE / "commit.txt"
_SHOWN = 12
_PATIENCE_SECONDS = 5


def version_text() -> str:
    """Return the version as `--version` says it: `0.1.0 (0123456789ab)`, or the version alone."""
    commit = commit_of_release(_WRITTEN) or _commit_of_checkout(_PACKAGE.parent)
    return f"{__version__} ({commit})" if commit else __version__


def commit_of_release(written: Path) -> str | None:
    """Return what `git archive` wrote, shortened; None where nothing has, as in a checkout."""
    text = written.read_text().strip() if written.is_file() else ""
    return text[:_SHOWN] if text and not text.startswith("$") else None


def _commit_of_checkout(folder: Path) -> str | None:
    """Ask git, where the folder is a checkout's own; with `-dirty` where something differs from the commit."""
    if not (folder / ".git").exists():
        return None
    asked = ("describe", "--always", "--exclude=*", "--dirty", f"--abbrev={_SHOWN}")
    try:
        return Git(folder).text(*asked, patience_seconds=_PATIENCE_SECONDS) or None
    except GitRefused:
        return None
