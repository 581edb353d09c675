from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sluice.registry import JobStatus
from sluice.registry.shape import SCHEMAS

NAMES = sorted(file.name.removesuffix(".schema.json") for file in SCHEMAS.glob("*.schema.json"))
PROJECT = SCHEMAS.parent.parent

# Pulumi and other programs keep their own fields here.
OPEN = {("settings", "settings"), ("settings", "settings.config")}


def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return content


def parts(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk every schema in a schema, with the way to it."""
    if not isinstance(node, dict):
        return
    yield path, node
    for group in ("properties", "$defs"):
        for name, inner in node.get(group, {}).items():
            yield from parts(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        yield from parts(node.get(name), f"{path}[]")


def test_there_is_a_schema_for_every_kind_of_file() -> None:
    assert NAMES == ["evidence", "models", "rollout", "settings"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_valid_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_closed_at_every_level(name: str) -> None:
    opened = {
        (name, path)
        for path, part in parts(schema(name), name)
        if part.get("type") == "object" and "additionalProperties" not in part
    }

    assert opened == {place for place in OPEN if place[0] == name}


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_title_and_a_description_and_an_example_that_fits(name: str) -> None:
    whole = schema(name)
    for path, part in parts(whole, name):
        for field, inner in part.get("properties", {}).items():
            merged = {**whole["$defs"].get(inner.get("$ref", "").removeprefix("#/$defs/"), {}), **inner}
            assert merged.get("title"), f"{path}.{field}"
            assert merged.get("description"), f"{path}.{field}"
            if merged.get("type") in {"string", "integer", "number", "boolean"}:
                assert merged.get("examples"), f"{path}.{field}"
            for example in merged.get("examples", []):
                Draft202012Validator({**merged, "$defs": whole["$defs"]}).validate(example)


def test_the_schema_knows_the_same_statuses_as_the_model() -> None:
    assert schema("models")["$defs"]["job"]["properties"]["status"]["enum"] == [status.value for status in JobStatus]


@pytest.mark.parametrize(
    "file",
    [
        PROJECT / "registry" / "models.yaml",
        *sorted((PROJECT / "registry" / "rollouts").glob("*.yaml")),
        *sorted(PROJECT.glob("Pulumi.?*.yaml")),
    ],
    ids=lambda file: file.name,
)
def test_an_editor_finds_the_schema_by_the_first_line_of_a_file(file: Path) -> None:
    first, _, _ = file.read_text(encoding="utf-8").partition("\n")

    assert first.startswith("# yaml-language-server: $schema=")
    assert (file.parent / first.partition("$schema=")[2]).resolve().parent == SCHEMAS
