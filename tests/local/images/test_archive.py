"""The archive is a valid OCI layout, and the images in it say who runs what."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sluice.local.images import archive
from sluice.local.images.archive import Parts


@pytest.fixture
def members(parts: list[Parts], tmp_path: Path) -> dict[str, bytes]:
    archive.write(parts, tmp_path / "images.tar")
    with tarfile.open(tmp_path / "images.tar") as tar:
        found = {}
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
    return found


def _index(members: dict[str, bytes]) -> list[dict[str, Any]]:
    manifests: list[dict[str, Any]] = json.loads(members["index.json"])["manifests"]
    return manifests


def test_every_blob_is_named_after_its_hash(members: dict[str, bytes]) -> None:
    blobs = {name: data for name, data in members.items() if name.startswith("blobs/")}
    assert len(blobs) == 5 + 5 + 7, "five manifests, five configurations, two shared layers and one of each image"
    assert all(name == "blobs/sha256/" + hashlib.sha256(data).hexdigest() for name, data in blobs.items())


def test_everything_that_is_referred_to_is_there_with_the_length_that_is_said(members: dict[str, bytes]) -> None:
    referred = _index(members)
    for entry in _index(members):
        manifest = json.loads(members["blobs/" + entry["digest"].replace(":", "/")])
        referred += [manifest["config"], *manifest["layers"]]
    for entry in referred:
        assert len(members["blobs/" + entry["digest"].replace(":", "/")]) == entry["size"]


def test_each_image_is_named_by_its_digest_and_by_the_tag_made_of_it(
    members: dict[str, bytes], parts: list[Parts]
) -> None:
    names = {(entry["annotations"]["io.containerd.image.name"], entry["digest"]) for entry in _index(members)}
    gateway, stub, guard, cache, prometheus = (image.digest for image in parts)
    assert names == {
        (f"sluice.local/gateway@{gateway}", gateway),
        (f"sluice.local/gateway:{gateway[7:23]}", gateway),
        (f"sluice.local/stub-provider@{stub}", stub),
        (f"sluice.local/stub-provider:{stub[7:23]}", stub),
        (f"sluice.local/guard@{guard}", guard),
        (f"sluice.local/guard:{guard[7:23]}", guard),
        (f"sluice.local/cache@{cache}", cache),
        (f"sluice.local/cache:{cache[7:23]}", cache),
        (f"sluice.local/prometheus@{prometheus}", prometheus),
        (f"sluice.local/prometheus:{prometheus[7:23]}", prometheus),
    }


def test_the_images_share_all_layers_but_the_last(parts: list[Parts]) -> None:
    gateway, stub, guard, cache, _ = (
        [entry["digest"] for entry in json.loads(image.manifest)["layers"]] for image in parts
    )
    assert gateway[:2] == stub[:2] == guard[:2]
    assert len({gateway[2], stub[2], guard[2]}) == 3
    assert cache[0] == gateway[0]
    assert len(cache) == 2


def test_a_container_runs_the_module_as_a_user_that_is_not_root(parts: list[Parts]) -> None:
    config = json.loads(parts[0].config)
    assert config["config"]["User"] == "10001:10001"
    assert config["config"]["Entrypoint"] == ["python3", "-m", "sluice.gateway"]
    assert config["config"]["WorkingDir"] == "/"
    assert "PYTHONUNBUFFERED=1" in config["config"]["Env"]
    assert "PYTHONDONTWRITEBYTECODE=1" in config["config"]["Env"]
    assert "LANG=C.UTF-8" in config["config"]["Env"]
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in parts[0].layers]
    assert json.loads(parts[1].config)["config"]["Entrypoint"] == ["python3", "-m", "sluice.local.stub_provider"]
    assert json.loads(parts[2].config)["config"]["Entrypoint"] == ["python3", "-m", "sluice.rollout.guard"]
    assert json.loads(parts[3].config)["config"]["Entrypoint"] == ["redis-server"]
    assert [step["created_by"] for step in json.loads(parts[3].config)["history"]] == ["base", "program"]


def test_two_archives_of_the_same_images_are_the_same_file(parts: list[Parts], tmp_path: Path) -> None:
    archive.write(parts, tmp_path / "one.tar")
    archive.write(parts, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
