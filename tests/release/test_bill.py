"""A bill names every package by the address that scanners know it by, in CycloneDX's own shape."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema_rs

from release.bill import Whole, bill
from release.parts import Origin, Part, parts_of_image, parts_of_lock

WHOLE = Whole("sluice/gateway", "1.2.0", "ab" * 32, is_image=True)
PARTS = (
    Part(Origin.DEBIAN, "libc6", "2.36-9+deb12u10", "amd64", "glibc"),
    Part(Origin.PYTHON, "numpy", "2.0"),
    Part(Origin.PYTHON, "colorama", "0.4.6", marker="sys_platform == 'win32'"),
)
EPOCH = 1_767_225_600


@cache
def official() -> jsonschema_rs.Draft7Validator:
    """CycloneDX's schema as its library brings it, with those that it refers to."""
    folder = Path(cyclonedx.schema.__file__).parent / "_res"
    names = ("bom-1.6", "spdx", "jsf-0.82")
    schemas = {name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()) for name in names}
    # They refer to each other by the names of the files, beside the first.
    resources = [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schemas[name]) for name in names]
    return jsonschema_rs.Draft7Validator(schemas["bom-1.6"], registry=jsonschema_rs.Registry(resources))


def shown(whole: Whole = WHOLE) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(bill(whole, PARTS, epoch=EPOCH))
    return made


def test_bills_of_images_and_of_the_wheel_are_what_the_official_schema_wants() -> None:
    for made in (shown(), shown(Whole("sluice", "1.2.0", "cd" * 32, is_image=False))):
        official().validate(made)
    assert not official().is_valid(shown() | {"components": [{"name": "numpy"}]})


def test_every_part_is_named_by_its_package_url_and_belongs_to_the_whole() -> None:
    made = shown()

    urls = {component["purl"] for component in made["components"]}
    assert urls == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=bookworm&upstream=glibc",
        "pkg:pypi/numpy@2.0",
        "pkg:pypi/colorama@0.4.6",
    }
    needed = {entry["ref"]: entry.get("dependsOn") for entry in made["dependencies"]}
    assert set(needed["sluice/gateway"]) == urls
    assert made["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]


def test_where_a_part_is_not_needed_everywhere_its_condition_stands_beside_it() -> None:
    conditions = {component["name"]: component.get("properties") for component in shown()["components"]}

    assert conditions["colorama"] == [{"name": "sluice:needed-where", "value": "sys_platform == 'win32'"}]
    assert conditions["numpy"] is None


def test_the_same_parts_are_the_same_bytes_and_another_whole_has_another_number() -> None:
    assert bill(WHOLE, PARTS, epoch=EPOCH) == bill(WHOLE, PARTS[::-1], epoch=EPOCH)
    other = Whole("sluice/gateway", "1.2.0", "cd" * 32, is_image=True)
    assert shown()["serialNumber"] != shown(other)["serialNumber"]
    assert shown()["metadata"]["timestamp"] == "2026-01-01T00:00:00+00:00"


def test_a_lock_is_read_with_its_conditions_and_extras() -> None:
    lock = (
        "click==8.1.7 \\\n    --hash=sha256:aa\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\n"
        "uvicorn[standard]==0.30 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\n"
    )

    assert parts_of_lock(lock) == (
        Part(Origin.PYTHON, "click", "8.1.7"),
        Part(Origin.PYTHON, "colorama", "0.4.6", marker="sys_platform == 'win32'"),
        Part(Origin.PYTHON, "uvicorn", "0.30"),
    )


def test_every_pin_of_the_real_lock_is_read() -> None:
    lock = (Path(__file__).parent.parent.parent / "requirements/command.lock").read_text()

    assert len(parts_of_lock(lock)) == sum(line[:1].isalnum() for line in lock.splitlines())


def test_the_notes_in_an_image_are_read_as_debian_and_python_write_them() -> None:
    debian = b"Package: libc6\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u10\nArchitecture: amd64\nTag: x\n y\n"
    own = b"Package: mawk\nVersion: 1\nArchitecture: amd64\n"
    python = b"Metadata-Version: 2.1\nName: Numpy\nVersion: 2.0\nDescription: Name: x\n\nVersion: 3\n"

    found = parts_of_image(
        [("var/lib/dpkg/status.d/libc6", debian), ("x/numpy-2.0.dist-info/METADATA", python), ("d/status.d/mawk", own)]
    )

    assert found == (
        Part(Origin.DEBIAN, "libc6", "2.36-9+deb12u10", "amd64", "glibc"),
        Part(Origin.DEBIAN, "mawk", "1", "amd64", "mawk"),
        Part(Origin.PYTHON, "Numpy", "2.0"),
    )
