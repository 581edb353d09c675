"""A release is a whole folder or none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from release.making import AlreadyMade, Release, make_release
from release.source import NotReady
from sluice.local.images import Image
from sluice.local.images.errors import RootNeededError
from sluice.local.images.recipe import architecture
from sluice.progress import Progress
from tests.gitops.project import git
from tests.release.checkouts import made_checkout
from tests.release.made_images import made_images

pytestmark = pytest.mark.slow


def made(checkout: Path, out: Path) -> Release:
    images = made_images(out.with_name(f"{out.name}-images"))
    return make_release(checkout, "1.2.0", out, lambda _files, _progress: images, Progress(quiet=True))


def test_everything_is_there_with_its_sum_and_the_second_time_it_is_the_same_bytes(tmp_path: Path) -> None:
    checkout = made_checkout(tmp_path / "checkout")

    first, second = made(checkout, tmp_path / "first"), made(checkout, tmp_path / "second")

    machine = architecture()
    names = {
        *(f"{part}-1.2.0-{machine}.{kind}" for part in ("gateway", "cache") for kind in ("oci.tar", "cdx.json")),
        *("sluice-1.2.0-py3-none-any.whl", "sluice-1.2.0.tar.gz", "sluice-1.2.0.cdx.json"),
        *("requirements-1.2.0.txt", "notes-1.2.0.md"),
    }
    assert {file.name for file in first.folder.iterdir()} == {*names, "SHA256SUMS"}
    assert {file.name for file in first.files} == {*names, "SHA256SUMS"}
    sums = [f"{hashlib.sha256((first.folder / name).read_bytes()).hexdigest()}  {name}" for name in sorted(names)]
    assert (first.folder / "SHA256SUMS").read_text().splitlines() == sums
    assert (second.folder / "SHA256SUMS").read_bytes() == (first.folder / "SHA256SUMS").read_bytes()
    assert first.source.commit == git(checkout, "rev-parse", "HEAD")
    gateway = json.loads((first.folder / f"gateway-1.2.0-{machine}.cdx.json").read_text())
    assert [part["name"] for part in gateway["components"]] == ["libc6", "numpy"]
    assert [path.name for path in first.folder.parent.iterdir()] == ["1.2.0"]


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    checkout, out = made_checkout(tmp_path / "checkout"), tmp_path / "dist"

    def build(_files: Path, _progress: Progress) -> tuple[Image, ...]:
        raise RootNeededError

    with pytest.raises(RootNeededError):
        make_release(checkout, "1.2.0", out, build, Progress(quiet=True))
    assert list(out.iterdir()) == []


def test_what_is_not_ready_is_not_begun_and_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    checkout, out = made_checkout(tmp_path / "checkout"), tmp_path / "dist"

    with pytest.raises(NotReady, match=r"1\.3\.0 cannot be released yet"):
        make_release(checkout, "1.3.0", out, lambda _files, _progress: (), Progress(quiet=True))
    assert not out.exists()
    (out / "1.2.0").mkdir(parents=True)
    with pytest.raises(AlreadyMade, match="is there already"):
        made(checkout, out)
