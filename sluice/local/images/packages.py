"""The second layer: the lock's packages, each checked against its hash and installed by the image's own Python.

The image's own, since what a lock asks for depends on the interpreter's exact version. pip itself is lent to it and
does not stay.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sluice.local.images import layer
from sluice.local.images.errors import CommandError, HashMismatchError, PackagesError
from sluice.local.images.recipe import PIP_OPTIONS, SITE_FOLDER
from sluice.local.images.rootfs import Rootfs

_LENT = "/srv/lent"


def build(folder: Path, scratch: Path, *, base: layer.Layer, pip: Path, lock: Path) -> None:
    """Write the layer of `lock`'s packages into `folder`, installed over `base` in `scratch`.

    Raises HashMismatchError when a package is not the one that the lock names, PackagesError when one cannot be had.
    """
    root = scratch / "root"
    root.mkdir(mode=0o755)
    layer.unpack(base, root)
    rootfs = Rootfs(root)
    variables = rootfs.lend_network()
    lent = root / _LENT.lstrip("/")
    lent.mkdir(parents=True)
    # pip is run from its wheel, which must keep a wheel's name to be imported from.
    wheel = lent / "pip-0-py3-none-any.whl"
    shutil.copy(pip, wheel)
    shutil.copy(lock, lent / "packages.lock")

    def failed(output: str) -> CommandError:
        if "DO NOT MATCH THE HASHES" in output:
            return HashMismatchError(lock, output)
        return PackagesError(lock, output)

    rootfs.run(
        [
            "python3",
            f"{_LENT}/{wheel.name}/pip",
            "install",
            *PIP_OPTIONS,
            "--target",
            SITE_FOLDER,
            "-r",
            f"{_LENT}/packages.lock",
        ],
        on_failure=failed,
        variables={"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off", **variables},
    )
    site = root / SITE_FOLDER.lstrip("/")
    # Commands of the packages: the image starts modules, and their first line names a Python by its path.
    shutil.rmtree(site / "bin", ignore_errors=True)
    rootfs.compile(SITE_FOLDER)
    rootfs.close()
    layer.write(root, folder, only=[SITE_FOLDER.lstrip("/")])
