"""The first files of a project: one agent of a made model in `dev`, which validates, renders and starts as it is.

Pulumi's files and the schemas are those of this release's own project; the registry is a small one of its own, because
the first team's five agents are theirs.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sluice.carried import carried
from sluice.errors import SluiceError
from sluice.whole_file import write_whole

_OWN = Path(__file__).resolve().parent
_SCHEMAS = "registry/schema"


class FilesInTheWay(SluiceError):
    """A folder has files that a new project would write over."""

    exit_code = 2

    def __init__(self, folder: Path, names: list[str]) -> None:
        listed = ", ".join(names)
        super().__init__(
            f"{folder.resolve()}: there already: {listed}; nothing was written: name an empty folder, or move them away"
        )


def skeleton() -> dict[str, Path]:
    """Return the file that each file of a new project is a copy of, by its path there."""
    return {
        "Pulumi.yaml": carried("Pulumi.yaml"),
        "Pulumi.dev.yaml": carried("Pulumi.dev.yaml"),
        "__main__.py": carried("__main__.py"),
        ".gitignore": _OWN / "gitignore",
        "registry/models.yaml": _OWN / "models.yaml",
        "registry/rollouts/dev.yaml": _OWN / "dev.yaml",
        **schemas(),
    }


def schemas() -> dict[str, Path]:
    """Return the schemas alone: an editor reads the project's copies, the command its own."""
    return {f"{_SCHEMAS}/{file.name}": file for file in sorted(carried(_SCHEMAS).glob("*.json"))}


def begin_project(folder: Path) -> tuple[str, ...]:
    """Write a project into `folder`, over nothing, and return its files. Raises `FilesInTheWay`, OSError."""
    wanted = skeleton()
    # A link that leads nowhere is there, too: what is written to it would land outside the folder.
    there = [name for name in wanted if os.path.lexists(folder / name)]
    if there:
        raise FilesInTheWay(folder, there)
    try:
        return _written(folder, wanted)
    except BaseException:  # an interruption, too: half a project would be in the way of the next attempt
        for name in wanted:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        raise


def renew_schemas(folder: Path) -> tuple[str, ...]:
    """Write the schemas of this version over those of a project, and return those that were others. Raises OSError."""
    differing = {
        name: file
        for name, file in schemas().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != file.read_bytes()
    }
    return _written(folder, differing)


def _written(folder: Path, wanted: dict[str, Path]) -> tuple[str, ...]:
    for name, file in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, file.read_text(encoding="utf-8"))
    return tuple(wanted)
