"""What a wheel or an image consists of, as it is found in it: the packages of a lock, of Debian, of Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from enum import StrEnum

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*(.*?))?\s*\\?$", re.MULTILINE)


class Origin(StrEnum):
    """Where a package is from: the type of its package URL (https://github.com/package-url/purl-spec)."""

    DEBIAN = "deb"
    PYTHON = "pypi"


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One package."""

    origin: Origin
    name: str
    version: str
    architecture: str = ""
    """Debian's word for it; empty for Python's packages."""
    source: str = ""
    """The Debian source package that it is built from, by which Debian says what is mended; empty for Python's."""
    marker: str = ""
    """Where a lock says that it is not needed everywhere: the condition, in its words."""


def parts_of_lock(lock: str) -> tuple[Part, ...]:
    """Return what a lock with hashes names, sorted."""
    found = _PINNED.findall(lock)
    return tuple(sorted(Part(Origin.PYTHON, name, version, marker=marker) for name, version, marker in found))


def parts_of_image(files: Iterable[tuple[str, bytes]]) -> tuple[Part, ...]:
    """Return what the notes in an image name, sorted."""
    return tuple(sorted(set(_parts(files))))


def _parts(files: Iterable[tuple[str, bytes]]) -> Iterator[Part]:
    for file, data in files:
        fields = HeaderParser().parsestr(data.decode(errors="replace"))
        if file.endswith("/METADATA"):
            yield Part(Origin.PYTHON, fields["Name"], fields["Version"])
        else:
            name, version, source = fields["Package"], fields["Version"], fields.get("Source", fields["Package"])
            yield Part(Origin.DEBIAN, name, version, fields["Architecture"], source.partition(" ")[0])
