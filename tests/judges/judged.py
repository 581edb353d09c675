"""Runs a judge over manifests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def objects_in(folder: Path) -> list[str]:
    """Return the files of Kubernetes objects in a folder of manifests: kustomization.yaml is for kubectl's own use."""
    files = sorted(str(file) for file in folder.glob("*.yaml") if file.name != "kustomization.yaml")
    assert files, f"{folder} holds no manifest"
    return files


def run(*command: str | Path, allowed: tuple[int, ...] = (0, 1), folder: Path | None = None) -> str:
    """Return what a judge prints; it ends with 0, or with 1 where it found something."""
    # A judge that is a Python program must not meet our packages, nor checkov's graph the terminal.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**variables, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode in allowed, f"{Path(command[0]).name} ended with {ran.returncode}: {ran.stderr[-2000:]}"
    return ran.stdout
