"""Python environments beside our own, for programs whose packages do not go with ours: made of a lock, by its content.

An environment appears in the cache in one rename when it is whole, and is never touched again. Its programs are run by
`python -m`: the scripts in it name the folder in which it was made.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from sluice.errors import SluiceError
from sluice.local.toolchain import go_build
from sluice.progress import Progress


class PackagesNotInstalled(SluiceError):
    """The packages of a lock could not be installed."""

    def __init__(self, lock: Path, said: str) -> None:
        last_lines = "\n  ".join(said.strip().splitlines()[-8:])
        super().__init__(f"{lock}: not installed; mend what pip says and run this again:\n  {last_lines}")


def python_environment(lock: Path, title: str, cache: Path, progress: Progress) -> Path:
    """Return the folder of the environment that has what `lock` names, made where it is missing.

    Raises `PackagesNotInstalled`.
    """
    made_from = f"{sys.version}\n{sys.base_prefix}\n{lock.read_text()}"
    folder = cache / "toolchain" / f"{lock.stem}-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}"
    with go_build.alone(folder):
        if not folder.is_dir():
            with (
                progress.step(f"installing {title}"),
                tempfile.TemporaryDirectory(prefix=f"{folder.name}.unfinished-", dir=folder.parent) as scratch,
            ):
                environment = Path(scratch, "environment")
                _run(lock, sys.executable, "-m", "venv", "--without-pip", str(environment))
                pip = (sys.executable, "-m", "pip", "--python", str(environment), "--disable-pip-version-check")
                _run(lock, *pip, "install", "--quiet", "--require-hashes", "-r", str(lock))
                environment.rename(folder)
    return folder


def _run(lock: Path, *command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise PackagesNotInstalled(lock, done.stdout)
