"""The import asks containerd what it has, brings what is missing, and says when containerd does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.images.building import Image, Images
from sluice.local.images.containerd import load
from sluice.local.images.errors import ImportFailedError, ToolMissingError
from sluice.progress import Progress

_CTR = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$*" in
  *"images check"*) cat {folder}/has ;;
  *"images import"*) {on_import} ;;
esac
"""
_COMPLETE = "{reference} application/vnd.oci.image.manifest.v1+json sha256:0 complete (4/4) 30.4 MiB/30.4 MiB true\n"


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(
        *(
            Image(f"sluice.local/{name}", f"sha256:{digit * 64}", tmp_path / "images.tar", 1)
            for name, digit in (
                ("gateway", "1"),
                ("stub-provider", "2"),
                ("cache", "3"),
                ("guard", "4"),
                ("prometheus", "5"),
            )
        )
    )


@pytest.fixture
def ctr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Images) -> Path:
    """A `ctr` that has nothing until it imports; the folder with what it has and how it was called."""
    every = "".join(_COMPLETE.format(reference=image.reference) for image in images.all())
    (tmp_path / "after").write_text(every)
    (tmp_path / "has").write_text("")
    _install(tmp_path, f"cp {tmp_path}/after {tmp_path}/has")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def _install(folder: Path, on_import: str) -> None:
    (folder / "ctr").write_text(_CTR.format(folder=folder, on_import=on_import))
    (folder / "ctr").chmod(0o755)


def _imports(ctr: Path) -> list[str]:
    return [line for line in (ctr / "calls").read_text().splitlines() if "images import" in line]


def _load(images: Images) -> None:
    load(images, Path("containerd.sock"), Progress(quiet=True))


def test_the_shared_archive_is_imported_once_for_all_where_the_kubelet_looks(ctr: Path, images: Images) -> None:
    _load(images)
    assert _imports(ctr) == [f"--address containerd.sock --namespace k8s.io images import {images.gateway.archive}"]


def test_what_is_there_is_not_imported_again(ctr: Path, images: Images) -> None:
    _load(images)
    _load(images)
    assert len(_imports(ctr)) == 1


def test_an_image_whose_layers_did_not_all_arrive_is_imported_again(ctr: Path, images: Images) -> None:
    half = (ctr / "after").read_text().replace("complete (4/4)", "incomplete (2/4)")
    (ctr / "has").write_text(half)
    _load(images)
    assert len(_imports(ctr)) == 1


def test_an_import_that_does_not_give_the_name_is_an_error(ctr: Path, images: Images) -> None:
    _install(ctr, ":")
    with pytest.raises(ImportFailedError, match=r"not found by the name sluice\.local/gateway@sha256:1111"):
        _load(images)


def test_a_containerd_that_does_not_answer_is_named(ctr: Path, images: Images) -> None:
    _install(ctr, "echo 'ctr: failed to dial: connection refused' >&2; exit 1")
    with pytest.raises(ImportFailedError, match=r"answer at containerd\.sock.*\n  ctr: failed to dial"):
        _load(images)


def test_without_ctr_the_package_is_named(images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ToolMissingError, match="apt-get install containerd"):
        _load(images)
