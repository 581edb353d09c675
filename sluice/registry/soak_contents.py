"""What a soak is made of beside the models: the queries, the scorer and the gateway's image, each by its digest.

A soak says what it tested; where one of these is another now, it says nothing of what would run (SL046). The digest of
its own content tells one that was changed by hand.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import sluice
from sluice.registry.document import parse_document
from sluice.registry.evidence import SoakEvidence
from sluice.registry.typed import unbuilt

NOTHING: Mapping[str, str] = MappingProxyType({})
_SCORER = Path(sluice.__file__).parent / "gateway" / "scoring"
_DIGEST = re.compile(r"@(sha256:(?!0{64})[0-9a-f]{64})$")
"""Of zeros alone it stands for an image that is not built yet, and is no other one."""


def read_queries(file: Path) -> tuple[str, ...]:
    """Return the queries of a file, one a line; blank lines and those that begin with # are none. Raises OSError."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def digest_of_queries(queries: Iterable[str]) -> str:
    """Return the digest of queries in their order."""
    return _digest("\n".join(queries).encode())


def query_digests(folder: Path) -> Mapping[str, str]:
    """Return the digest of every file of queries in a registry folder that can be read, by agent."""
    found = {}
    for file in sorted(folder.glob("queries/*.txt")):
        try:
            found[file.stem] = digest_of_queries(read_queries(file))
        except (OSError, UnicodeDecodeError):
            continue
    return MappingProxyType(found)


@cache
def scorer_digest() -> str:
    """Return the digest of the built-in scorer: of every file that it is made of."""
    files = sorted(path for path in _SCORER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    parts = [f"{path.relative_to(_SCORER)}\0".encode() + path.read_bytes() for path in files]
    return _digest(b"\0".join(parts))


def image_digest(image: str) -> str | None:
    """Return the digest that pins an image, None where its name has none."""
    found = _DIGEST.search(image)
    return found[1] if found else None


def gateway_digests(project: Path, environments: Iterable[str]) -> Mapping[str, str]:
    """Return the digest of the gateway's image in each environment's settings, of those that name one."""
    found = {}
    for environment in environments:
        try:
            content = (project / f"Pulumi.{environment}.yaml").read_bytes()
        except OSError:
            continue
        document, _ = parse_document(content, environment)
        image = document.get("config", "sluice:gateway", "image") if document else None
        digest = image_digest(image) if isinstance(image, str) else None
        if digest:
            found[environment] = digest
    return MappingProxyType(found)


def digest_of_soak(soak: SoakEvidence) -> str:
    """Return the digest of all that a soak says but the digest itself."""
    said = unbuilt(dataclasses.replace(soak, digest=None))
    return _digest(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
