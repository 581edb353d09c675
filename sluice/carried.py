"""Files of the checkout that the installed command needs: schemas, locks of the images, a project's first files.

In a checkout they lie where people edit them, beside the package. A wheel carries them inside it, in `carried_files`,
by the same names; `[tool.hatch.build.targets.wheel.force-include]` in pyproject.toml lists them.
"""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
"""The folder that the package `sluice` lies in: a checkout, or an environment's site-packages."""

_INSIDE = "sluice/carried_files"


def carried(name: str, source: Path = SOURCE) -> Path:
    """Return where a file or folder of the checkout is, such as `registry/schema`, for the code in `source`."""
    inside = source / _INSIDE / name
    return inside if inside.exists() else source / name
