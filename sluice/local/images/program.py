"""The layer of an image that runs a program of Debian's: the program and the libraries that the base lacks.

Its packages are named one by one: what else apt brings along is for installing them, or for a machine with a log-in.
A library that is missing shows when the program is run inside, before there is an image.
"""

from __future__ import annotations

from pathlib import Path

from sluice.local.images import debian_packages, layer
from sluice.local.images.errors import BaseError
from sluice.local.images.recipe import ProgramRecipe
from sluice.local.images.rootfs import Rootfs

_OF_A_SYSTEM = ("etc", "lib/systemd", "usr/lib/systemd", "var/lib/redis", "var/lib/prometheus", "var/log")


def build(folder: Path, scratch: Path, *, base: layer.Layer, recipe: ProgramRecipe) -> None:
    """Write the layer of the recipe's program into `folder`, tried over `base` in `scratch`.

    What is in `sluice.local.packages.IMAGE_PACKAGES` must be there. Raises BaseError when a package cannot be had, or
    when the program does not start.
    """
    files = debian_packages.download(recipe.packages[:1], scratch / "apt")
    missing = [name for name in recipe.packages if name not in files]
    if missing:
        raise BaseError(f"{recipe.packages[0]} no longer needs {', '.join(missing)}: take it out of recipe.py")
    own = scratch / "own"
    own.mkdir(mode=0o755)
    for name in recipe.packages:
        debian_packages.unpack(files[name], own)
        debian_packages.record(name, files[name], own)
    debian_packages.drop_documentation(own)
    for name in (*_OF_A_SYSTEM, *recipe.left_out):
        _remove(own / name)
    root = scratch / "root"
    root.mkdir(mode=0o755)
    layer.unpack(base, root)
    layer.unpack(layer.write(own, folder), root)
    Rootfs(root).run([*recipe.entrypoint, "--version"], on_failure=BaseError)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
