"""One OCI archive for each image, out of the one that all of them are built into.

Configuration, layers and manifest stay the bytes they are, so the digest is the one that `make up` runs. Only the name
is another: the version, in place of what a local cluster looks for.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice.errors import SluiceError
from sluice.local.images import Image

_MODIFIED = 1735689600  # as the layers have it


class ArchiveDamaged(SluiceError):
    """A built image is not what its digest says."""

    def __init__(self, archive: Path, digest: str) -> None:
        super().__init__(f"{archive}: {digest} is missing or damaged; remove the file, and build the images again")


def write_image(image: Image, name: str, version: str, to: Path) -> None:
    """Write `image` alone, as `name:version`, into the archive `to`. Raises `ArchiveDamaged`."""
    with tarfile.open(image.archive) as built, tarfile.open(to, "x") as tar:
        manifest = blob(built, image.archive, image.digest)
        described = json.loads(manifest)
        entry = {
            "mediaType": described["mediaType"],
            "digest": image.digest,
            "size": len(manifest),
            "annotations": {
                "io.containerd.image.name": f"{name}:{version}",
                "org.opencontainers.image.ref.name": version,
            },
        }
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        }
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))
        digests = [described["config"]["digest"], *(layer["digest"] for layer in described["layers"])]
        for digest in dict.fromkeys([image.digest, *digests]):
            _add(tar, _path(digest), blob(built, image.archive, digest))


def blob(tar: tarfile.TarFile, archive: Path, digest: str) -> bytes:
    """Return the blob of that digest, which is held against it. Raises `ArchiveDamaged`."""
    try:
        file = tar.extractfile(_path(digest))
    except KeyError:
        file = None
    data = file.read() if file is not None else b""
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise ArchiveDamaged(archive, digest)
    return data


def files_of(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what says which packages an image holds: the notes of Debian's packages, the METADATA of Python's."""
    with tarfile.open(archive) as tar:
        index: dict[str, Any] = json.loads(_small(tar, "index.json"))
        manifest = json.loads(blob(tar, archive, index["manifests"][0]["digest"]))
        for described in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(blob(tar, archive, described["digest"])), mode="r:gz") as layer:
                for entry in layer:
                    if entry.isfile() and _says_what_is_there(entry.name):
                        file = layer.extractfile(entry)
                        yield entry.name, file.read() if file is not None else b""


def _says_what_is_there(name: str) -> bool:
    return "var/lib/dpkg/status.d/" in name or name.endswith(".dist-info/METADATA")


def _small(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    return file.read() if file is not None else b""


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(data), _MODIFIED, 0o644
    tar.addfile(entry, io.BytesIO(data))


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
