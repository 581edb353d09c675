"""Bills of materials: what something consists of, as CycloneDX in JSON, which scanners read.

CycloneDX and not SPDX: what is wanted of it is to know what a new hole in a package concerns, and every scanner of such
takes it. Number and time are made of the content, so that the same parts are the same bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from release.parts import Origin, Part
from sluice.local.images.recipe import SUITE


@dataclass(frozen=True, slots=True)
class Whole:
    """What a bill is of: its name, version and SHA-256, and whether it is an image."""

    name: str
    version: str
    sha256: str
    is_image: bool


def bill(whole: Whole, parts: Sequence[Part], *, epoch: int) -> str:
    """Return the bill of `whole`, made at `epoch` (seconds since 1970), as the text of a file."""
    made = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{whole.name} {whole.sha256}"))
    kind = ComponentType.CONTAINER if whole.is_image else ComponentType.APPLICATION
    root = Component(
        name=whole.name,
        version=whole.version,
        type=kind,
        bom_ref=whole.name,
        # generic: the index for everybody has a package of that name, and it is another.
        purl=PackageURL("oci", None, whole.name.rpartition("/")[2], f"sha256:{whole.sha256}")
        if whole.is_image
        else PackageURL("generic", None, whole.name, whole.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=whole.sha256)],
    )
    components = [_component(part) for part in parts]
    made.metadata.component = root
    made.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    made.components.update(components)
    made.register_dependency(root, components)
    return JsonV1Dot6(made).output_as_string(indent=1) + "\n"


def _component(part: Part) -> Component:
    if part.origin is Origin.DEBIAN:
        # upstream, as syft writes it and grype reads it: advisories name source packages.
        qualifiers = {"arch": part.architecture, "distro": SUITE, "upstream": part.source}
        purl = PackageURL("deb", "debian", part.name, part.version, qualifiers)
    else:
        purl = PackageURL("pypi", None, part.name, part.version)
    conditions = [Property(name="sluice:needed-where", value=part.marker)] if part.marker else []
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        properties=conditions,
    )
