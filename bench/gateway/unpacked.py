"""The files of an image, unpacked: what is measured is the interpreter, the packages and the code that a pod runs.

It makes a difference: Debian's Python, which the images have, was compiled by what a profile of it said, and answers a
tenth more requests than one of the same version that somebody compiled without that.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateway.programs import CACHE
from bench.measured import PROJECT
from sluice.local.folders import cache_folder
from sluice.local.images import Image, build, build_litellm
from sluice.local.images.recipe import PYTHON, SITE_FOLDER
from sluice.progress import Progress


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The root folder of an image's files."""

    root: Path

    @property
    def python(self) -> str:
        """The image's own interpreter; it wants `variables`."""
        return str(self.root / "usr" / "bin" / PYTHON)

    @property
    def variables(self) -> dict[str, str]:
        """What the interpreter is told, because it does not stand where it was compiled for."""
        return {"PYTHONHOME": str(self.root / "usr"), "PYTHONPATH": f"{self.root}{SITE_FOLDER}"}


@dataclass(frozen=True, slots=True)
class Peers:
    """The images whose programs are measured; LiteLLM's is None where it is left out."""

    gateway: Unpacked
    stub: Unpacked
    litellm: Unpacked | None


def peers(*, with_litellm: bool) -> Peers:
    """Build the images of this checkout where they are not there yet, and unpack them. Raises an ImageError."""
    progress = Progress()
    images = build(PROJECT, cache_folder(), progress)
    litellm = unpacked(build_litellm(PROJECT, cache_folder(), progress)) if with_litellm else None
    return Peers(unpacked(images.gateway), unpacked(images.stub_provider), litellm)


def unpacked(image: Image) -> Unpacked:
    """Unpack an image into a folder of its own, once; older ones of the same name go."""
    name = image.name.rpartition("/")[2]
    root = CACHE / "images" / f"{name}-{image.digest.removeprefix('sha256:')[:12]}"
    if not root.exists():
        for older in root.parent.glob(f"{name}-*"):
            shutil.rmtree(older)
        half = root.with_name(f"half-{root.name}")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        with tarfile.open(image.archive) as archive:
            for layer in _json(archive, image.digest)["layers"]:
                with tarfile.open(fileobj=archive.extractfile(_blob(layer["digest"])), mode="r:gz") as files:
                    files.extractall(half, filter="tar")
        half.rename(root)
    return Unpacked(root)


def _json(archive: tarfile.TarFile, digest: str) -> Any:
    blob = archive.extractfile(_blob(digest))
    assert blob is not None
    return json.load(blob)


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
