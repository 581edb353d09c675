"""The wheel of this checkout, installed where nothing of the checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from release.distributions import build_distributions

PROJECT = Path(__file__).parent.parent.parent
EPOCH = 1_767_225_600
_UV = Path(sys.executable).with_name("uv")
_PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel in it, and nothing but what the wheel asks for."""

    environment: Path

    def sluice(self, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._run(folder, self.environment / "bin/sluice", *arguments, **variables)

    def python(self, folder: Path, program: str) -> str:
        done = self._run(folder, self.environment / "bin/python", "-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, folder: Path, command: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return subprocess.run(
            [command, *arguments],
            cwd=folder,
            env=own | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )


def install(folder: Path) -> Installed:
    """Install the wheel into `folder` as docs/release.md says: the lock by hash, then the wheel, nothing resolved."""
    (folder / "dist").mkdir()
    wheel, _ = build_distributions(PROJECT, folder / "dist", epoch=EPOCH)
    environment = folder / "venv"
    # With pip in it: Pulumi asks the project's environment for what is installed.
    _uv("venv", "--seed", "--python", sys.executable, environment)
    pip = ("pip", "install", "--python", environment / "bin/python")
    _uv(*pip, "--require-hashes", "-r", PROJECT / "requirements/command.lock")
    _uv(*pip, "--no-deps", "--no-index", wheel)
    return Installed(environment)


def _uv(*arguments: str | Path) -> None:
    """Run uv, which installs as pip does, from the same index, and keeps what it downloaded for the next time."""
    done = subprocess.run([_UV, "--quiet", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
