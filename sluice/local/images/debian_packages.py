"""Debian packages as files: downloaded and verified by apt, unpacked without running their installation scripts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from sluice.local.images.errors import BaseError
from sluice.local.images.recipe import SUITE
from sluice.local.packages import environment

_DOCUMENTATION = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian")


def download(names: Iterable[str], apt: Path) -> dict[str, Path]:
    """Download packages and all they depend on into `apt`; the files by the packages' names. Raises BaseError."""
    command = ["mmdebstrap", "--variant=extract", "--skip=cleanup/apt", f"--include={','.join(names)}", SUITE, str(apt)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if ran.returncode != 0:
        raise BaseError(ran.stderr or ran.stdout)
    return {file.name.partition("_")[0]: file for file in sorted((apt / "var/cache/apt/archives").glob("*.deb"))}


def unpack(package: Path, root: Path) -> None:
    """Unpack a package's files over `root`."""
    _dpkg("--extract", str(package), str(root))


def record(name: str, package: Path, root: Path) -> None:
    """Note the package where scanners look for the packages of an image without dpkg."""
    notes = root / "var/lib/dpkg/status.d"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / name).write_text(_dpkg("--field", str(package)))


def drop_documentation(root: Path) -> None:
    """Drop what nobody reads in a container, all but the licences."""
    for name in _DOCUMENTATION:
        for path in sorted((root / name).rglob("*"), reverse=True):
            if path.is_symlink() or (path.is_file() and path.name != "copyright"):
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _dpkg(*arguments: str) -> str:
    ran = subprocess.run(["dpkg-deb", *arguments], capture_output=True, text=True, check=False, env=environment())
    if ran.returncode != 0:
        raise BaseError(ran.stderr)
    return ran.stdout
