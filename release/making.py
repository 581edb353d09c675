"""Makes the folder of a release, whole or not at all.

Everything is built in a folder beside it, from the commit's own files, and takes the release's name when it is done.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from release.bill import Whole, bill
from release.distributions import build_distributions
from release.image_archive import files_of, write_image
from release.parts import parts_of_image, parts_of_lock
from release.source import Source, export, source_of
from sluice.errors import SluiceError
from sluice.local import images
from sluice.local.images.recipe import architecture
from sluice.progress import Progress

SUMS = "SHA256SUMS"
_LOCK = "requirements/command.lock"
_UNFINISHED = ".making-"
_READABLE_FOLDER = 0o755


class AlreadyMade(SluiceError):
    """There is a release of that version already."""

    exit_code = 2

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is there already; what was given away keeps its bytes: take another version")


@dataclass(frozen=True, slots=True)
class Made:
    """A file of a release; `digest` is an image's own, and empty for what is none."""

    name: str
    size_bytes: int
    sha256: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """What was made, where, and of which commit."""

    folder: Path
    source: Source
    files: tuple[Made, ...]


BuildImages = Callable[[Path, Progress], tuple[images.Image, ...]]


def make_release(checkout: Path, version: str, out: Path, build_images: BuildImages, progress: Progress) -> Release:
    """Make the release `version` of the commit that `checkout` stands on, in `out`/`version`.

    Raises `NotReady` before anything is built, `AlreadyMade`, and what building raises; then there is no such folder.
    """
    source = source_of(checkout, version)
    folder = out / version
    if folder.exists():
        raise AlreadyMade(folder)
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=out))
    try:
        files, made = scratch / "files", scratch / "made"
        files.mkdir()
        made.mkdir(mode=_READABLE_FOLDER)
        export(checkout, source.commit, files)
        digests = _fill(made, files, source, build_images, progress)
        found = tuple(_made(file, digests.get(file.name, "")) for file in sorted(made.iterdir()))
        (made / SUMS).write_text("".join(f"{one.sha256}  {one.name}\n" for one in found))
        made.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Release(folder, source, (*found, _made(folder / SUMS, "")))


def _fill(made: Path, files: Path, source: Source, build_images: BuildImages, progress: Progress) -> dict[str, str]:
    """Write everything but the sums into `made`, and return the images' digests by the names of their files."""
    version = source.version
    with progress.step("wheel and source distribution"):
        wheel, _ = build_distributions(files, made, epoch=source.epoch)
    lock = (files / _LOCK).read_text()
    (made / f"requirements-{version}.txt").write_text(lock)
    (made / f"notes-{version}.md").write_text(f"{source.notes}\n")
    whole = Whole("sluice", version, _sha256(wheel), is_image=False)
    (made / f"sluice-{version}.cdx.json").write_text(bill(whole, parts_of_lock(lock), epoch=source.epoch))
    digests = {}
    for image in build_images(files, progress):
        short = image.name.rpartition("/")[2]
        stem = f"{short}-{version}-{architecture()}"
        with progress.step(f"archive and parts of {short}"):
            archive = made / f"{stem}.oci.tar"
            write_image(image, f"sluice/{short}", version, archive)
            whole = Whole(f"sluice/{short}", version, image.digest.removeprefix("sha256:"), is_image=True)
            parts = parts_of_image(files_of(archive))
            (made / f"{stem}.cdx.json").write_text(bill(whole, parts, epoch=source.epoch))
        digests[archive.name] = image.digest
    return digests


def _made(file: Path, digest: str) -> Made:
    return Made(file.name, file.stat().st_size, _sha256(file), digest)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
