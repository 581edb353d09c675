"""The wheel and the source distribution, the same bytes wherever and whenever they are built from the same files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sluice.errors import SluiceError


class BuildFailed(SluiceError):
    """The build backend did not build; it says why."""

    def __init__(self, said: str) -> None:
        super().__init__(f"the wheel cannot be built:\n{said.rstrip()}")


def build_distributions(source: Path, out: Path, *, epoch: int) -> tuple[Path, Path]:
    """Build wheel and sdist of the checkout at `source` into `out`, a folder without any, and return the two files.

    `epoch` is the time that everything in them is said to be of, in seconds since 1970
    (https://reproducible-builds.org/docs/source-date-epoch/). Raises `BuildFailed`.
    """
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(out)]
    built = subprocess.run(
        command,
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        raise BuildFailed(built.stdout)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist
