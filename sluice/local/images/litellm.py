"""Builds LiteLLM's image where an environment asks for one: the base, its packages by hash, and the code before it.

It lies in an archive of its own, because what nobody asked for is neither built nor loaded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from sluice import __version__
from sluice.carried import carried
from sluice.local.images import archive, base, code, debian_packages, layer, packages, program, recipe, rootfs
from sluice.local.images.building import ARCHIVE, RECORD, Image, ensure_base_tools, plain_umask, source_of
from sluice.local.images.errors import RootNeededError, SourceMissingError
from sluice.local.images.recipe import LITELLM, LITELLM_LIBRARIES
from sluice.local.images.store import Store, key_of
from sluice.progress import Progress


def build_litellm(project: Path, cache: Path, progress: Progress) -> Image:
    """The image of LiteLLM, built where it is not in `cache` yet. Raises as `build` does."""
    lock = carried(recipe.LITELLM_LOCK, project)
    if not lock.is_file():
        raise SourceMissingError(lock, image=LITELLM.name)
    of_base = key_of(recipe.architecture(), source_of(recipe, layer, rootfs, debian_packages, base))
    of_libraries = key_of(of_base, source_of(program))
    of_packages = key_of(of_base, source_of(packages), lock.read_bytes())
    of_code = key_of(of_base, source_of(code), code.content(project, LITELLM))
    of_archive = key_of(of_libraries, of_packages, of_code, source_of(archive), __version__)
    store = Store(cache / "images")
    found = store.find("litellm-archive", of_archive)
    if found is None:
        if os.geteuid() != 0:
            raise RootNeededError
        with store.locked(lambda: progress.say("images: another build is under way; waiting for it")), plain_umask():
            base_folder = store.find("base", of_base)
            if base_folder is None:
                ensure_base_tools(progress)
                with progress.step("image: Debian's Python"), store.scratch() as scratch:
                    base_folder = store.make("base", of_base, lambda folder: base.build(folder, scratch))
            base_layer = layer.read(base_folder)
            with progress.step("image: libraries of LiteLLM's packages"), store.scratch() as scratch:
                libraries_folder = store.find("litellm-libraries", of_libraries)
                if libraries_folder is None:
                    ensure_base_tools(progress)
                    libraries_folder = store.make(
                        "litellm-libraries",
                        of_libraries,
                        lambda folder: program.build(folder, scratch, base=base_layer, recipe=LITELLM_LIBRARIES),
                    )
            with progress.step(f"image: packages of {recipe.LITELLM_LOCK} (minutes)"), store.scratch() as scratch:
                packages_folder = store.find("litellm-packages", of_packages) or store.make(
                    "litellm-packages",
                    of_packages,
                    lambda folder: packages.build(
                        folder, scratch, base=base_layer, pip=base.pip_of(base_folder), lock=lock
                    ),
                )
            with progress.step("image: code of litellm"), store.scratch() as scratch:
                code_folder = store.find("code-litellm", of_code) or store.make(
                    "code-litellm",
                    of_code,
                    lambda folder: code.build(folder, scratch, base=base_layer, project=project, recipe=LITELLM),
                )
            layers = [base_layer, layer.read(libraries_folder), layer.read(packages_folder), layer.read(code_folder)]
            parts = archive.assemble(LITELLM, layers, architecture=recipe.architecture(), version=__version__)
            found = store.make("litellm-archive", of_archive, lambda folder: _write(parts, folder))
        progress.say(f"image of LiteLLM: {parts.size_bytes / 1e6:.0f} MB unpacked")
    record = json.loads((found / RECORD).read_text())
    return Image(LITELLM.name, record["digest"], found / ARCHIVE, record["size_bytes"])


def _write(parts: archive.Parts, folder: Path) -> None:
    archive.write([parts], folder / ARCHIVE)
    (folder / RECORD).write_text(json.dumps({"digest": parts.digest, "size_bytes": parts.size_bytes}))
