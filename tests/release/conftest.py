"""A wheel of this checkout, installed where nothing of the checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from release.distributions import build_distributions

PROJECT = Path(__file__).parent.parent.parent
EPOCH = 1_767_225_600
_UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel in it, and nothing but what the wheel asks for."""

    binaries: Path

    def sluice(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(folder, "sluice", *arguments)

    def python(self, folder: Path, program: str) -> str:
        done = self._run(folder, "python", "-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return subprocess.run(
            [self.binaries / command, *arguments], cwd=folder, env=own, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel as docs/release.md says: the lock by hash, then the wheel with nothing resolved."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "dist").mkdir()
    wheel, _ = build_distributions(PROJECT, folder / "dist", epoch=EPOCH)
    uv("venv", "--python", sys.executable, folder / "venv")
    pip = ("pip", "install", "--python", folder / "venv" / "bin" / "python")
    uv(*pip, "--require-hashes", "-r", PROJECT / "requirements/command.lock")
    uv(*pip, "--no-deps", "--no-index", wheel)
    return Installed(folder / "venv" / "bin")


def uv(*arguments: str | Path) -> None:
    """Run uv, which installs as pip does, from the same index, and keeps what it downloaded for the next time."""
    done = subprocess.run([_UV, "--quiet", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
