"""Imports the images into a containerd on this machine, under the names by which the kubelet asks for them.

Only containerd's own client is used; who runs containerd, and when, is no matter here.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sluice.local.images.building import Images
from sluice.local.images.errors import ImportFailedError, ToolMissingError
from sluice.progress import Progress

_NAMESPACE = "k8s.io"
"""Where the kubelet's images are; those of another namespace it does not see."""


def load(images: Images, containerd_socket: Path, progress: Progress) -> None:
    """Import what containerd does not have yet, so that all images start by their `reference` with nothing pulled.

    Raises ImportFailedError when containerd does not answer or refuses, ToolMissingError without `ctr`.
    """
    if shutil.which("ctr") is None:
        raise ToolMissingError("ctr", needed_for="importing images", install="apt-get install containerd")
    wanted = images.all()
    present = _complete(containerd_socket)
    missing = [image for image in wanted if image.reference not in present]
    if not missing:
        return
    with progress.step("images: import into containerd"):
        for archive in dict.fromkeys(image.archive for image in missing):
            _ctr(containerd_socket, "images", "import", str(archive))
    still_missing = [image.reference for image in wanted if image.reference not in _complete(containerd_socket)]
    if still_missing:
        raise ImportFailedError(containerd_socket, f"imported, but not found by the name {', '.join(still_missing)}")


def _complete(containerd_socket: Path) -> set[str]:
    """The references of the images whose every layer is there: an import that was killed leaves some that are not."""
    listed = _ctr(containerd_socket, "images", "check")
    return {line.split()[0] for line in listed.splitlines() if " complete " in line}


def _ctr(containerd_socket: Path, *arguments: str) -> str:
    command = ["ctr", "--address", str(containerd_socket), "--namespace", _NAMESPACE, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise ImportFailedError(containerd_socket, ran.stderr or ran.stdout)
    return ran.stdout
