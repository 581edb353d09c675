"""Writes a folder as an image layer: a tar whose bytes depend on the files' names, modes and content alone.

Order, times, owners and names of owners are fixed, so that the same content has the same digest on every build; what
belongs into a layer is decided elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

_MODIFIED = 1735689600  # 2025-01-01: not 0, since zip files cannot hold a time before 1980
# Compressed, though the archive stays on this machine: containerd imports it as fast as a plain one, a third as long.
_COMPRESSION_LEVEL = 6
_RECORD = "layer.json"
_BLOB = "layer.tar.gz"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer in a folder of its own: its blob, and what the blob's bytes and the tar inside it hash to."""

    blob: Path
    digest: str
    diff_id: str
    size_bytes: int
    unpacked_bytes: int


class _Hashed:
    """Passes what is written on to a file, and keeps its SHA-256 and its length."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.length = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.length += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def write(root: Path, folder: Path, *, only: Iterable[str] = ("",)) -> Layer:
    """Write what lies below `root` as a layer into `folder`.

    `only` names the paths below `root` that go in, with all below them and the folders above them; by default all.
    """
    blob = folder / _BLOB
    unpacked_bytes = 0
    with blob.open("xb") as file:
        packed = _Hashed(file)
        # An empty file name and time keep gzip's header from differing between two builds.
        with gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, cast("IO[bytes]", packed), mtime=0) as compressed:
            plain = _Hashed(cast("IO[bytes]", compressed))
            with tarfile.open(mode="w|", fileobj=cast("IO[bytes]", plain), format=tarfile.PAX_FORMAT) as tar:
                for path in _paths(root, only):
                    unpacked_bytes += _add(tar, root, path)
    layer = Layer(blob, packed.digest, plain.digest, packed.length, unpacked_bytes)
    (folder / _RECORD).write_text(json.dumps({**asdict(layer), "blob": blob.name}, indent=1, sort_keys=True))
    return layer


def read(folder: Path) -> Layer:
    """The layer that `write` left in `folder`."""
    record = json.loads((folder / _RECORD).read_text())
    return Layer(**{**record, "blob": folder / record["blob"]})


def unpack(layer: Layer, root: Path) -> None:
    """Unpack a layer that `write` made over `root`, with its owners and modes where this process may set them."""
    with tarfile.open(layer.blob, "r:gz") as tar:
        # Debian 12's own Python, 3.11.2, does not know filters yet, and does what this one does.
        if hasattr(tarfile, "fully_trusted_filter"):
            tar.extractall(root, filter="fully_trusted")  # noqa: S202 - made by `write` alone, in a folder of our own
        else:
            tar.extractall(root)  # noqa: S202 - the same


def _paths(root: Path, only: Iterable[str]) -> list[Path]:
    """Every path of the layer, a folder before what is in it, in the order of their names."""
    chosen: set[Path] = set()
    for name in only:
        top = root / name
        chosen.update(above for above in top.parents if root in above.parents)
        chosen.add(top)
        if top.is_dir() and not top.is_symlink():
            chosen.update(top.rglob("*"))
    chosen.discard(root)
    return sorted(chosen, key=lambda path: path.relative_to(root).parts)


def _add(tar: tarfile.TarFile, root: Path, path: Path) -> int:
    """Add one path; its length in bytes."""
    entry = tarfile.TarInfo(str(path.relative_to(root)))
    entry.mtime = _MODIFIED
    status = path.lstat()
    entry.mode = status.st_mode & 0o7777
    if path.is_symlink():
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        tar.addfile(entry)
        return 0
    if path.is_dir():
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
        return 0
    # A hard link becomes a file of its own: which of the names is the original differs between file systems.
    entry.size = status.st_size
    with path.open("rb") as content:
        tar.addfile(entry, content)
    return entry.size
