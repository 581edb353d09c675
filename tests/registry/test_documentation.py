"""Schema, dataclasses and pages say the same."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any

import pytest

from sluice.registry import evidence as evidence_model
from sluice.registry import judgement, model, policy
from sluice.registry.documentation import documentation
from sluice.registry.reference_page import resolved
from sluice.registry.rules.catalogue import RULES
from sluice.registry.rules.page import page
from sluice.registry.shape import SCHEMAS
from sluice.registry.typed import duration, keys_of

PROJECT = SCHEMAS.parent.parent


def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return content


def plain(kind: Any) -> Any:
    """Return a field's type without its marks and without None."""
    if typing.get_origin(kind) is Annotated:
        return plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in {UnionType, typing.Union}:
        (only,) = (part for part in typing.get_args(kind) if part is not NoneType)
        return plain(only)
    return kind


def pairs(whole: dict[str, Any], part: Mapping[str, Any], kind: Any) -> Iterator[tuple[Mapping[str, Any], type]]:
    """Walk a schema and the type it becomes side by side, and yield every mapping with its dataclass."""
    part, kind = resolved(whole, part), plain(kind)
    if typing.get_origin(kind) is tuple:
        yield from pairs(whole, part["items"], typing.get_args(kind)[0])
    elif typing.get_origin(kind) is Mapping:
        yield from pairs(whole, part["additionalProperties"], typing.get_args(kind)[1])
    elif dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        yield part, kind
        if kind is policy.Ladder:
            return
        types = typing.get_type_hints(kind, include_extras=True)
        for key, field in keys_of(kind).items():
            if key in part["properties"]:
                yield from pairs(whole, part["properties"][key], types[field])


FILES = [("models", model.Registry), ("rollout", model.Rollout), ("evidence", evidence_model.Evidence)]
PAIRS = [(part, kind) for name, kind in FILES for part, kind in pairs(schema(name), schema(name), kind)]
SAID_OTHERWISE = {
    # What the schema has beside the dataclass's own fields: the version of a file, defaults that are laid under agents.
    model.Registry: {"version", "defaults"},
    model.Rollout: {"version"},
    evidence_model.Evidence: {"version"},
    model.Agent: set(keys_of(policy.Policy)),
}


@pytest.mark.parametrize(("part", "kind"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_dataclass_has_the_fields_of_its_schema_and_no_others(part: Mapping[str, Any], kind: type) -> None:
    if kind is policy.Ladder:
        assert part["items"] == {"$ref": "#/$defs/step"}
        return
    assert set(part["properties"]) - SAID_OTHERWISE.get(kind, set()) == set(keys_of(kind))


def test_the_defaults_have_the_fields_of_a_policy() -> None:
    whole = schema("models")
    found = list(pairs(whole, whole["properties"]["defaults"], policy.Policy))

    assert set(found[0][0]["properties"]) == set(keys_of(policy.Policy))
    assert {kind for _, kind in found} >= {policy.Limits, policy.Safeguards, policy.Review, policy.Traffic}


def test_every_dataclass_of_a_file_is_held_against_its_schema() -> None:
    whole = schema("models")
    compared = {kind for _, kind in (*PAIRS, *pairs(whole, whole["properties"]["defaults"], policy.Policy))}
    compared |= {kind for _, kind in pairs(whole, whole["$defs"]["step"], policy.Step)}
    declared = {
        kind
        for module in (model, policy, judgement, evidence_model)
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    }

    assert declared == compared


@pytest.mark.parametrize(("part", "kind"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_schemas_default_is_the_dataclasss_own(part: Mapping[str, Any], kind: type) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    for key, name in keys_of(kind).items():
        said = resolved(schema("models"), part.get("properties", {}).get(key, {})) if part.get("properties") else {}
        if "default" not in said:
            continue
        default = defaults[name]
        if isinstance(default, timedelta):
            assert default == duration(said["default"]), f"{kind.__name__}.{name}"
        elif isinstance(default, tuple):
            assert list(default) == said["default"], f"{kind.__name__}.{name}"
        else:
            assert default == said["default"], f"{kind.__name__}.{name}"


@pytest.mark.parametrize(("part", "kind"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_enumeration_has_the_words_of_its_schema(part: Mapping[str, Any], kind: type) -> None:
    whole = {"$defs": {**schema("models")["$defs"], **schema("evidence")["$defs"]}}
    types = typing.get_type_hints(kind, include_extras=True)
    for key, name in keys_of(kind).items():
        wanted = plain(types[name])
        if isinstance(wanted, type) and issubclass(wanted, StrEnum):
            assert resolved(whole, part["properties"][key])["enum"] == [word.value for word in wanted]


@pytest.mark.parametrize("name", ["models", "rollout", "evidence", "settings"])
def test_every_value_has_a_unit(name: str) -> None:
    def values(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if isinstance(node, dict):
            if {"title", "description"} <= set(node) and (node.get("type") not in {None, "object"} or "enum" in node):
                yield path, node
            for key, inner in node.items():
                yield from values(inner, f"{path}.{key}")
        elif isinstance(node, list):
            for inner in node:
                yield from values(inner, path)

    assert [path for path, node in values(schema(name), name) if not node.get("unit")] == []


@pytest.mark.parametrize("name", sorted(documentation()))
def test_a_page_is_what_schemas_and_rules_say(name: str) -> None:
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == documentation()[name], "run `make docs`"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_has_a_page_with_a_reason_and_both_examples(rule: Any) -> None:
    text = page(rule)

    assert text.startswith(f"{rule.id}: {rule.title}\n\n{rule.text}")
    assert len(rule.text) > 60
    assert rule.wrong != rule.right
    assert f"## {rule.id}\n" in documentation()["rules.md"]


def test_dates_and_times_are_of_the_types_that_the_code_counts_with() -> None:
    types = typing.get_type_hints(model.Benchmark)

    assert types["date"] is date
    assert duration("36h") == timedelta(days=1, hours=12)
    assert duration("1.8s") == timedelta(seconds=1.8)
