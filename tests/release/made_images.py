"""Two small images in one archive, as the builder of images leaves them, with neither root nor a network."""

from __future__ import annotations

from pathlib import Path

from sluice.local.images import Image, archive, layer
from sluice.local.images.recipe import CACHE, GATEWAY


def made_images(folder: Path) -> tuple[Image, ...]:
    """Build a gateway and a cache of a shared base into an archive in `folder`."""
    base = made_layer(folder, "base", {"var/lib/dpkg/status.d/libc6": debian("libc6")})
    packages = made_layer(folder, "packages", {"usr/lib/numpy-2.0.dist-info/METADATA": "Name: numpy\nVersion: 2.0\n"})
    code = made_layer(folder, "code", {"usr/lib/sluice/__init__.py": "made = True\n"})
    redis = made_layer(folder, "redis", {"var/lib/dpkg/status.d/redis": debian("redis")})
    parts = [
        archive.assemble(GATEWAY, [base, packages, code], architecture="amd64", version="1.2.0"),
        archive.assemble(CACHE, [base, redis], architecture="amd64", version="1.2.0"),
    ]
    archive.write(parts, folder / "images.tar")
    return tuple(Image(one.recipe.name, one.digest, folder / "images.tar", one.size_bytes) for one in parts)


def debian(name: str) -> str:
    return f"Package: {name}\nVersion: 2\nArchitecture: amd64\n"


def made_layer(folder: Path, name: str, files: dict[str, str]) -> layer.Layer:
    root, written = folder / f"{name}-root", folder / f"{name}-layer"
    written.mkdir(parents=True)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
    return layer.write(root, written)
