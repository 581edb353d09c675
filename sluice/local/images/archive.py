"""Puts layers together into images and the images into one OCI archive, named so that a node finds them by digest.

The archive is an OCI image layout in a tar: what `ctr images import`, `kind load image-archive`, `k3d image import`,
`docker load` and skopeo read. All images share it, since they share their base and more.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.local.images.layer import Layer
from sluice.local.images.recipe import ENVIRONMENT, USER, ProgramRecipe, Recipe

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
# Without a fixed time the same content would have another digest with every build.
_CREATED = "2025-01-01T00:00:00Z"
_MODIFIED = 1735689600
_TAG_LENGTH = 16
_LAYERS_OF_CODE = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """An image as the bytes it is made of: its configuration, its layers from the base up, and the manifest of both."""

    recipe: Recipe | ProgramRecipe
    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest: what a reference by digest names."""
        return _digest(self.manifest)

    @property
    def size_bytes(self) -> int:
        """The length of the files in the image, unpacked."""
        return sum(layer.unpacked_bytes for layer in self.layers)


def assemble(recipe: Recipe | ProgramRecipe, layers: Sequence[Layer], *, architecture: str, version: str) -> Parts:
    """The image of `recipe` made of `layers`, the base first; `architecture` as in `recipe.architecture()`."""
    libraries = ("libraries",) if len(layers) > _LAYERS_OF_CODE else ()
    steps = ("base", *libraries, "packages", "code") if isinstance(recipe, Recipe) else ("base", "program")
    config = _json(
        {
            "created": _CREATED,
            "architecture": architecture,
            "os": "linux",
            "config": {
                "User": USER,
                "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
                "Entrypoint": list(recipe.entrypoint),
                "WorkingDir": "/",
                "Labels": {
                    "org.opencontainers.image.title": recipe.short_name,
                    "org.opencontainers.image.description": recipe.title,
                    "org.opencontainers.image.version": version,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": _CREATED, "created_by": step} for step in steps],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": _digest(config), "size": len(config)},
            "layers": [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size_bytes} for layer in layers],
        }
    )
    return Parts(recipe, tuple(layers), config, manifest)


def tag_of(digest: str) -> str:
    """A tag that stands in for a digest where a reference by digest does not work; it changes with the content too."""
    return digest.removeprefix("sha256:")[:_TAG_LENGTH]


def write(images: Sequence[Parts], archive: Path) -> None:
    """Write an archive of `images`; each can be found in it by digest and by the tag of `tag_of`."""
    with tarfile.open(archive, "x") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(_index(images)))
        small = {_digest(data): data for image in images for data in (image.config, image.manifest)}
        for digest, data in sorted(small.items()):
            _add(tar, _blob(digest), data)
        for layer in {layer.digest: layer for image in images for layer in image.layers}.values():
            with layer.blob.open("rb") as blob:
                tar.addfile(_entry(_blob(layer.digest), layer.size_bytes), blob)


def _index(images: Sequence[Parts]) -> dict[str, object]:
    """Each image twice, by its two names: containerd's importer makes one image of each name.

    The name by digest is what the CRI looks up for a pod's `image: NAME@sha256:...`; an import gives it only where the
    archive does (https://github.com/containerd/containerd/issues/13243 tells of archives that do not).
    """
    manifests = [
        {
            "mediaType": MANIFEST_TYPE,
            "digest": image.digest,
            "size": len(image.manifest),
            "annotations": {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": tag_of(image.digest),
            },
        }
        for image in images
        for name in (f"{image.recipe.name}@{image.digest}", f"{image.recipe.name}:{tag_of(image.digest)}")
    ]
    return {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_entry(name, len(data)), io.BytesIO(data))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, _MODIFIED, 0o644
    return entry


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
