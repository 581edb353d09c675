"""The third layer: our own code, the part of an image that changes from one build to the next.

It lies beside the packages and is compiled by the image's own Python, so that a pod that may not write starts as fast
the first time as every other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from sluice.local.images import layer
from sluice.local.images.errors import SourceMissingError
from sluice.local.images.recipe import SITE_FOLDER, Recipe
from sluice.local.images.rootfs import Rootfs

_IGNORED = ("__pycache__", ".mypy_cache", ".ruff_cache")


def files(project: Path, recipe: Recipe) -> Iterator[Path]:
    """The files of the checkout at `project` that the image carries, relative to it, in the order of their names.

    Raises SourceMissingError when the recipe names something that is not there, or the module to run is not.
    """
    module = project.joinpath(*recipe.module.split("."), "__main__.py")
    for wanted in (*(project / name for name in recipe.sources), module):
        if not wanted.exists():
            raise SourceMissingError(wanted, image=recipe.name)
    for name in recipe.sources:
        top = project / name
        found = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        yield from (path.relative_to(project) for path in found if not set(path.parts) & set(_IGNORED))


def content(project: Path, recipe: Recipe) -> bytes:
    """Names, modes and content of those files as one string of bytes: what the layer depends on."""
    parts = []
    for path in files(project, recipe):
        data = (project / path).read_bytes()
        parts.append(f"{path} {_mode(project / path):o} {len(data)}\n".encode() + data)
    return b"".join(parts)


def build(folder: Path, scratch: Path, *, base: layer.Layer, project: Path, recipe: Recipe) -> None:
    """Write the layer of the recipe's code into `folder`, compiled over `base` in `scratch`."""
    root = scratch / "root"
    root.mkdir(mode=0o755)
    layer.unpack(base, root)
    site = root / SITE_FOLDER.lstrip("/")
    for path in files(project, recipe):
        inside = site / path
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / path, inside)
        inside.chmod(_mode(project / path))
    for made in site.rglob("*"):
        if made.is_dir():
            made.chmod(0o755)
    rootfs = Rootfs(root)
    rootfs.compile(SITE_FOLDER)
    rootfs.close()
    layer.write(root, folder, only=[SITE_FOLDER.lstrip("/") + "/sluice"])


def _mode(path: Path) -> int:
    """Readable by all and writable by its owner, whatever the umask of the checkout was; executable if it was."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644
