"""A layer's bytes depend on names, modes and content alone."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.local.images import layer
from sluice.local.images.store import key_of


def _tree(root: Path, *, order: int = 1) -> Path:
    root.mkdir()
    for name in ["b/two.py", "a.py", "b/c/three.py", "b.txt"][::order]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n")
    (root / "link").symlink_to("b/two.py")
    (root / ("deep-" * 30)).write_text("a name longer than a plain tar header holds")
    return root


def _written(root: Path, folder: Path, **options: list[str]) -> layer.Layer:
    folder.mkdir()
    return layer.write(root, folder, **options)


def test_two_builds_of_the_same_tree_have_the_same_digest(tmp_path: Path) -> None:
    first, second = _tree(tmp_path / "first"), _tree(tmp_path / "second", order=-1)
    os.utime(second / "a.py", (1, 1))
    one, two = _written(first, tmp_path / "1"), _written(second, tmp_path / "2")
    assert one.digest == two.digest
    assert one.blob.read_bytes() == two.blob.read_bytes()


@pytest.mark.parametrize("change", ["content", "name", "mode", "link"])
def test_a_changed_tree_has_another_digest(tmp_path: Path, change: str) -> None:
    one = _written(_tree(tmp_path / "first"), tmp_path / "1")
    root = _tree(tmp_path / "second")
    if change == "content":
        (root / "a.py").write_text("a.pz\n")
    elif change == "name":
        (root / "a.py").rename(root / "z.py")
    elif change == "mode":
        (root / "a.py").chmod(0o755)
    else:
        (root / "link").unlink()
        (root / "link").symlink_to("a.py")
    assert _written(root, tmp_path / "2").digest != one.digest


def test_digests_and_lengths_are_those_of_the_files(tmp_path: Path) -> None:
    root = _tree(tmp_path / "root")
    made = _written(root, tmp_path / "layer")
    blob = made.blob.read_bytes()
    assert made.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert made.diff_id == "sha256:" + hashlib.sha256(gzip.decompress(blob)).hexdigest()
    assert made.size_bytes == len(blob)
    assert made.unpacked_bytes == sum(p.stat().st_size for p in root.rglob("*") if p.is_file() and not p.is_symlink())


def test_everything_belongs_to_root_and_has_one_time(tmp_path: Path) -> None:
    made = _written(_tree(tmp_path / "root"), tmp_path / "layer")
    with tarfile.open(made.blob) as tar:
        entries = tar.getmembers()
    assert {(e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, "", "")}
    assert len({e.mtime for e in entries}) == 1
    # By the parts of the path, so that a folder's content follows the folder: `b/two.py` before `b.txt`.
    names = [tuple(e.name.split("/")) for e in entries]
    assert names == sorted(names)


def test_only_the_named_folder_and_those_above_it_go_in(tmp_path: Path) -> None:
    made = _written(_tree(tmp_path / "root"), tmp_path / "layer", only=["b/c"])
    with tarfile.open(made.blob) as tar:
        assert tar.getnames() == ["b", "b/c", "b/c/three.py"]


def test_a_layer_read_back_is_the_one_written(tmp_path: Path) -> None:
    made = _written(_tree(tmp_path / "root"), tmp_path / "layer")
    assert layer.read(tmp_path / "layer") == made


def test_an_unpacked_layer_is_the_tree_it_was_made_of(tmp_path: Path) -> None:
    made = _written(_tree(tmp_path / "root"), tmp_path / "layer")
    (tmp_path / "out").mkdir()
    layer.unpack(made, tmp_path / "out")
    assert _written(tmp_path / "out", tmp_path / "again").digest == made.digest


def test_a_layer_is_unpacked_by_a_python_that_knows_no_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _written(_tree(tmp_path / "root"), tmp_path / "layer")
    (tmp_path / "out").mkdir()
    real = tarfile.TarFile.extractall
    # Under such a Python there is nothing to pass; under any other, what it would do must be said.
    same: dict[str, Any] = {"filter": tarfile.fully_trusted_filter} if hasattr(tarfile, "fully_trusted_filter") else {}

    def of_debian_12(self: tarfile.TarFile, path: Path) -> None:
        real(self, path, **same)

    monkeypatch.setattr(tarfile.TarFile, "extractall", of_debian_12)
    monkeypatch.delattr(tarfile, "fully_trusted_filter", raising=False)
    layer.unpack(made, tmp_path / "out")
    assert _written(tmp_path / "out", tmp_path / "again").digest == made.digest


@given(
    st.lists(st.binary(max_size=20), min_size=1, max_size=4), st.lists(st.binary(max_size=20), min_size=1, max_size=4)
)
def test_two_keys_are_equal_only_when_their_parts_are(one: list[bytes], other: list[bytes]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)
