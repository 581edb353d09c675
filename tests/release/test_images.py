"""The images of a release are those of its commit: what `make up` runs, and the same when they are made again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import __version__
from sluice.local import images
from sluice.local.folders import cache_folder
from sluice.local.images.recipe import RECIPES, architecture
from sluice.local.images.store import Store
from sluice.progress import Progress
from tests.gitops.project import git
from tests.release.checkouts import committed
from tests.release.installation import PROJECT

pytestmark = pytest.mark.long

_LENT = ("base-*", "packages-*", "program-*")
"""What comes from Debian and from Python's index, which another day may have newer."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """This checkout as it is committed, with a changelog that releases its version."""
    folder = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(PROJECT), str(folder)], check=True, capture_output=True)
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    changelog = (folder / "CHANGELOG.md").read_text()
    (folder / "CHANGELOG.md").write_text(changelog.replace(f"## Unreleased: {__version__}", f"## {__version__}", 1))
    committed(folder)
    return folder


def released(checkout: Path, cache: Path, out: Path) -> Path:
    ran = subprocess.run(
        [sys.executable, "-m", "release", __version__, "--no-litellm", "--out", str(out)],
        cwd=checkout,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(Path.home()), "SLUICE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return out / __version__


def test_a_release_of_this_commit_holds_the_images_that_are_run_and_the_same_bytes_when_made_again(
    checkout: Path, tmp_path: Path
) -> None:
    built = images.build(checkout, cache_folder(), Progress(quiet=True))
    kept = Store(cache_folder() / "images")
    with kept.locked(lambda: None):  # nobody prunes meanwhile
        for folder in (found for pattern in _LENT for found in kept.folder.glob(pattern)):
            shutil.copytree(folder, tmp_path / "cache/images" / folder.name)

    first = released(checkout, cache_folder(), tmp_path / "first")
    again = released(checkout, tmp_path / "cache", tmp_path / "again")

    assert (again / "SHA256SUMS").read_text() == (first / "SHA256SUMS").read_text()
    for image in built.all():
        short = image.name.rpartition("/")[2]
        stem = f"{short}-{__version__}-{architecture()}"
        bill = json.loads((first / f"{stem}.cdx.json").read_text())
        assert f"sha256:{bill['metadata']['component']['hashes'][0]['content']}" == image.digest
        names = {part["name"] for part in bill["components"]}
        assert "libc6" in names
        if short in {recipe.short_name for recipe in RECIPES}:
            assert {"aiohttp", "libpython3.11-stdlib"} <= names
