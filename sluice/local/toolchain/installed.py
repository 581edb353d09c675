"""Asks programs on the PATH for their version, to use what a person has installed where it fits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.local.folders import cache_folder

_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class InstalledTool:
    """A program that may be installed already, and the versions of it that fit: `at_least` <= version < `below`."""

    program: str
    version_arguments: tuple[str, ...]
    version_pattern: str
    """Two groups: the major and the minor version in what the program prints."""
    at_least: tuple[int, ...]
    below: tuple[int, ...]


def find_on_path(tools: Sequence[InstalledTool]) -> dict[str, Path] | None:
    """Return the path of each program by its name, or None where one is missing or of a version that does not fit."""
    found: dict[str, Path] = {}
    for tool in tools:
        path = on_path(tool.program)
        if path is None or not _fits(Path(path), tool):
            return None
        found[tool.program] = Path(path)
    return found


def on_path(program: str) -> str | None:
    """Return the program that a person has installed; one in sluice's own cache is none of theirs.

    A shell that took over what `sluice env` prints has the cache on its PATH.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    theirs = [folder for folder in folders if not Path(folder).is_relative_to(cache_folder())]
    return shutil.which(program, path=os.pathsep.join(theirs))


def _fits(path: Path, tool: InstalledTool) -> bool:
    try:
        answer = subprocess.run(
            [path, *tool.version_arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(tool.version_pattern, answer.stdout + answer.stderr)
    return version is not None and tool.at_least <= tuple(map(int, version.groups())) < tool.below
