"""A made checkout and made layers, so that these tests need neither root nor a network nor the real code."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.images import archive, layer, recipe


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with every file the images are made of, and some that are none of theirs."""
    project = tmp_path / "checkout"
    for name in (
        "sluice/__init__.py",
        "sluice/errors.py",
        "sluice/key_hash.py",
        "sluice/override.py",
        "sluice/service_account.py",
        "sluice/gateway/__init__.py",
        "sluice/gateway/__main__.py",
        "sluice/gateway/deep/__init__.py",
        "sluice/local/__init__.py",
        "sluice/local/stub_provider/__init__.py",
        "sluice/local/stub_provider/__main__.py",
        *(source for source in recipe.GUARD.sources if source.startswith("sluice/registry/")),
        "sluice/registry/loading.py",
        "sluice/rollout/guard/__init__.py",
        "sluice/rollout/guard/__main__.py",
        "sluice/gateway/__pycache__/__main__.cpython-311.pyc",
        "requirements/gateway.lock",
        "requirements/litellm-image.lock",
        "sluice/litellm_proxy/__main__.py",
    ):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")
    return project


@pytest.fixture
def parts(tmp_path: Path) -> list[archive.Parts]:
    """The images, of a shared base, shared packages and each its code; those of programs have no packages."""
    shared = [_layer(tmp_path, "base"), _layer(tmp_path, "packages")]
    programs = [
        archive.assemble(
            wanted, [shared[0], _layer(tmp_path, wanted.short_name)], architecture="amd64", version="1.2.3"
        )
        for wanted in recipe.PROGRAMS
    ]
    return [
        archive.assemble(wanted, [*shared, _layer(tmp_path, wanted.short_name)], architecture="amd64", version="1.2.3")
        for wanted in recipe.RECIPES
    ] + programs


def _layer(folder: Path, name: str) -> layer.Layer:
    root, written = folder / f"{name}-root", folder / f"{name}-layer"
    root.mkdir()
    written.mkdir()
    (root / name).write_text(f"the content of {name}\n")
    return layer.write(root, written)
