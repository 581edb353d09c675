"""Asks programs on the PATH for their version, to use what a person has installed where it fits."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        path = shutil.which(tool.program)
        if path is None or not _fits(Path(path), tool):
            return None
        found[tool.program] = Path(path)
    return found


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
