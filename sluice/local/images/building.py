"""Builds the images, layer by layer, each layer again only when something that it is made of changed.

What goes into an image is in recipe.py and how a layer is made in base.py, packages.py, code.py and program.py; this
module knows which depends on what, and keeps the results.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from sluice import __version__
from sluice.carried import carried
from sluice.local import packages as debian
from sluice.local.images import archive, base, code, debian_packages, layer, packages, program, recipe, rootfs
from sluice.local.images.errors import ArchiveLostError, BaseToolsMissingError, RootNeededError, SourceMissingError
from sluice.local.images.recipe import (
    CACHE,
    GATEWAY,
    GUARD,
    PROGRAMS,
    PROMETHEUS,
    RECIPES,
    STUB_PROVIDER,
    ProgramRecipe,
    Recipe,
)
from sluice.local.images.store import Store, key_of
from sluice.progress import Progress

ARCHIVE = "images.tar"
RECORD = "images.json"
"""What lies in the folder of an archive: the archive, and which images it holds."""


@dataclass(frozen=True, slots=True)
class Image:
    """A built image.

    Its name without tag or digest, its manifest's digest, the OCI archive it lies in (which may hold others too), and
    the length of its files in bytes, unpacked.
    """

    name: str
    digest: str
    archive: Path
    size_bytes: int

    @property
    def reference(self) -> str:
        """What a pod of sluice's own cluster names: by digest, so that it can only be this content."""
        return f"{self.name}@{self.digest}"

    @property
    def tagged_reference(self) -> str:
        """The same by a tag made of the digest, for clusters into which references by digest do not survive loading."""
        return f"{self.name}:{archive.tag_of(self.digest)}"


@dataclass(frozen=True, slots=True)
class Images:
    """The images that an environment can be made of."""

    gateway: Image
    stub_provider: Image
    cache: Image
    guard: Image
    prometheus: Image
    litellm: Image | None = None
    """None unless it was asked for."""

    def all(self) -> tuple[Image, ...]:
        """Return every image, in the order of the fields."""
        built = (self.gateway, self.stub_provider, self.cache, self.guard, self.prometheus)
        return built if self.litellm is None else (*built, self.litellm)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The hashes of what each layer, and the archive of all, is made of."""

    base: str
    packages: str
    code: dict[str, str]
    program: str
    archive: str


def build(project: Path, cache: Path, progress: Progress) -> Images:
    """The images of the checkout at `project`, built where they are not in `cache` yet.

    Needs root only when something has to be built, and installs what building the base takes only when the base has to
    be. Raises an ImageError that says what was missing or failed, PackageInstallFailed when apt-get failed; the cache
    then holds what was finished before, and nothing half-made.
    """
    keys = _keys(project)
    store = Store(cache / "images")
    found = store.find("archive", keys.archive)
    whole = _read(found) if found is not None else None
    if whole is not None:
        return whole
    if os.geteuid() != 0:
        raise RootNeededError
    with store.locked(lambda: progress.say("images: another build is under way; waiting for it")), plain_umask():
        if found is not None:
            progress.say("images: what is kept of them is damaged; it is made again")
            shutil.rmtree(found, ignore_errors=True)
        built = _build(store, project, keys, progress)
    sizes = ", ".join(f"{image.size_bytes / 1e6:.0f} MB" for image in built.all())
    progress.say(f"images: {sizes} unpacked")
    progress.say(f"images: all that is kept in {store.folder} takes {store.size_bytes() / 1e6:.0f} MB")
    return built


def _build(store: Store, project: Path, keys: _Keys, progress: Progress) -> Images:
    total = 3 + len(RECIPES) + len(PROGRAMS)

    def made(kind: str, key: str, title: str, number: int, fill: Callable[[Path, Path], None]) -> Path:
        found = store.find(kind, key)
        if found is not None:
            return found
        with progress.step(f"image: {title}", number=number, total=total), store.scratch() as scratch:
            return store.make(kind, key, lambda folder: fill(folder, scratch))

    from_debian = {"base": keys.base, **{f"program-{wanted.short_name}": keys.program for wanted in PROGRAMS}}
    if any(store.find(kind, key) is None for kind, key in from_debian.items()):
        ensure_base_tools(progress)
    base_folder = made("base", keys.base, "Debian's Python", 1, base.build)
    base_layer = layer.read(base_folder)

    def fill_packages(folder: Path, scratch: Path) -> None:
        packages.build(
            folder, scratch, base=base_layer, pip=base.pip_of(base_folder), lock=carried(recipe.LOCK, project)
        )

    packages_layer = layer.read(made("packages", keys.packages, f"packages of {recipe.LOCK}", 2, fill_packages))
    parts = []
    for number, wanted in enumerate(RECIPES, start=3):
        fill_code = partial(code.build, base=base_layer, project=project, recipe=wanted)
        kind = f"code-{wanted.short_name}"
        code_layer = layer.read(made(kind, keys.code[wanted.name], f"code of {wanted.short_name}", number, fill_code))
        layers = [base_layer, packages_layer, code_layer]
        parts.append(archive.assemble(wanted, layers, architecture=recipe.architecture(), version=__version__))

    for number, asked in enumerate(PROGRAMS, start=3 + len(RECIPES)):
        fill_program = partial(program.build, base=base_layer, recipe=asked)
        kind, title = f"program-{asked.short_name}", f"Debian's {asked.packages[0]}"
        layers = [base_layer, layer.read(made(kind, keys.program, title, number, fill_program))]
        parts.append(archive.assemble(asked, layers, architecture=recipe.architecture(), version=__version__))

    def fill_archive(folder: Path, _scratch: Path) -> None:
        archive.write(parts, folder / ARCHIVE)
        images = {image.recipe.name: {"digest": image.digest, "size_bytes": image.size_bytes} for image in parts}
        record = {"archive_bytes": (folder / ARCHIVE).stat().st_size, "images": images}
        (folder / RECORD).write_text(json.dumps(record, indent=1))

    built = _read(made("archive", keys.archive, "archive", total, fill_archive))
    if built is None:
        raise ArchiveLostError(store.folder)
    return built


def images_key(project: Path) -> str:
    """Return a name for the images of the checkout at `project`: who gets the same one builds the same images."""
    return _keys(project).archive


def ensure_base_tools(progress: Progress) -> None:
    """Install what making the base takes. Raises BaseToolsMissingError."""
    try:
        debian.ensure(progress, debian.IMAGE_PACKAGES)
    except debian.PackagesMissing as error:
        raise BaseToolsMissingError(error) from error


def _keys(project: Path) -> _Keys:
    lock = carried(recipe.LOCK, project)
    if not lock.is_file():
        raise SourceMissingError(lock, image=GATEWAY.name)
    of_base = key_of(recipe.architecture(), source_of(recipe, layer, rootfs, debian_packages, base))
    of_packages = key_of(of_base, source_of(packages), lock.read_bytes())
    of_code = {wanted.name: key_of(of_base, source_of(code), code.content(project, wanted)) for wanted in RECIPES}
    of_program = key_of(of_base, source_of(program))
    of_archive = key_of(of_packages, *of_code.values(), of_program, source_of(archive), __version__)
    return _Keys(of_base, of_packages, of_code, of_program, of_archive)


def source_of(*modules: ModuleType) -> str:
    """The text of the modules that make something: how it is made is part of what it is made of."""
    return "".join(inspect.getsource(module) for module in modules)


def _read(folder: Path) -> Images | None:
    """Return the images that are kept in `folder`; None where the archive or its record is not as it was written."""
    try:
        record = json.loads((folder / RECORD).read_text())
        if (folder / ARCHIVE).stat().st_size != record["archive_bytes"]:
            return None

        def image(wanted: Recipe | ProgramRecipe) -> Image:
            return Image(wanted.name, archive=folder / ARCHIVE, **record["images"][wanted.name])

        return Images(
            gateway=image(GATEWAY),
            stub_provider=image(STUB_PROVIDER),
            cache=image(CACHE),
            guard=image(GUARD),
            prometheus=image(PROMETHEUS),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


@contextmanager
def plain_umask() -> Iterator[None]:
    """Make folders readable by all, whatever the umask of the person who builds: the image's user is another."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
