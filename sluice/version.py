"""Which sluice this is: the version, which stands in `sluice/__init__.py` alone, and the commit where it is known.

A release is made of `git archive`, which writes the commit into commit.txt; in a checkout git is asked.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from sluice import __version__

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
    command = ["git", "-C", str(folder), "describe", "--always", "--exclude=*", "--dirty", f"--abbrev={_SHOWN}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None
