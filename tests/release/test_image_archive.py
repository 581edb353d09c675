"""An image of a release is the image that was built, alone and by the version's name."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from release.image_archive import ArchiveDamaged, files_of, write_image
from tests.release.made_images import made_images


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry)) is not None}


def test_each_image_lies_alone_in_an_oci_layout_with_the_digest_it_was_built_with(tmp_path: Path) -> None:
    gateway, cache = made_images(tmp_path)
    for image, layers in ((gateway, 3), (cache, 2)):
        archive = tmp_path / f"{layers}.oci.tar"
        write_image(image, "sluice/made", "1.2.0", archive)
        found = members(archive)

        assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        (entry,) = json.loads(found["index.json"])["manifests"]
        assert entry["digest"] == image.digest
        assert entry["annotations"]["io.containerd.image.name"] == "sluice/made:1.2.0"
        blobs = {name: data for name, data in found.items() if name.startswith("blobs/sha256/")}
        assert all(name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}" for name, data in blobs.items())
        manifest = json.loads(blobs["blobs/" + entry["digest"].replace(":", "/")])
        assert len(manifest["layers"]) == layers
        referred = [manifest["config"], *manifest["layers"]]
        assert blobs.keys() == {"blobs/" + one["digest"].replace(":", "/") for one in [*referred, entry]}


def test_what_says_which_packages_are_there_is_found_in_every_layer(tmp_path: Path) -> None:
    gateway, cache = made_images(tmp_path)
    write_image(gateway, "sluice/gateway", "1.2.0", tmp_path / "gateway.tar")
    write_image(cache, "sluice/cache", "1.2.0", tmp_path / "cache.tar")

    assert [name for name, _ in files_of(tmp_path / "gateway.tar")] == [
        "var/lib/dpkg/status.d/libc6",
        "usr/lib/numpy-2.0.dist-info/METADATA",
    ]
    assert [name for name, _ in files_of(tmp_path / "cache.tar")] == [
        "var/lib/dpkg/status.d/libc6",
        "var/lib/dpkg/status.d/redis",
    ]


def test_an_image_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    gateway, _ = made_images(tmp_path)
    other = replace(gateway, digest="sha256:" + "0" * 64)

    with pytest.raises(ArchiveDamaged, match=r"images\.tar: sha256:0+ is missing or damaged"):
        write_image(other, "sluice/gateway", "1.2.0", tmp_path / "one.tar")
