"""Holds a document against its JSON Schema and says in plain sentences where it differs.

The schemas lie in registry/schema/, where editors find them by the files' first line. They say what shape a file has;
what its values must mean beyond that is said by the other checks of this package.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from sluice.carried import carried
from sluice.registry.bounds import MAX_FINDINGS
from sluice.registry.document import Document
from sluice.registry.findings import MEND_THOSE_FIRST, Finding, did_you_mean, nearest, shown
from sluice.registry.places import Steps
from sluice.registry.shape_wording import addition, description, problem_of, remedy_of

_ENTRIES_AT_ONCE = 1_000
_NAMES_COMPARED = 100
_ABOUT_A_VALUE = frozenset({"SL022", "SL023"})
SCHEMAS = carried("registry/schema")


def check_shape(document: Document, schema: str) -> tuple[Finding, ...]:
    """Check `document` against the schema named `schema`, for example `models`."""
    validator = _validator(schema)
    if validator.is_valid(document.data):
        return ()
    content = _content(schema)
    found: dict[Finding, None] = {}
    for part in _parts(document.data, content["properties"]):
        for error in validator.iter_errors(part) if not validator.is_valid(part) else ():
            for finding in _findings(document, error, content):
                found[finding] = None
                if len(found) == MAX_FINDINGS:
                    problem = f"does not fit its schema in {MAX_FINDINGS} places or more"
                    found[Finding(document.file, 1, 1, "", problem, MEND_THOSE_FIRST, "SL002")] = None
                    return tuple(_one_for_each_value(found))
    return tuple(_one_for_each_value(found))


def _parts(data: Any, fields: Collection[str]) -> Iterator[Any]:
    """Take a large file apart, so that its errors are made by and by: each copies the value that it is about."""
    if not isinstance(data, dict):
        yield data
        return
    unknown = [name for name in data if name not in fields][: MAX_FINDINGS + 1]
    known = {name: value for name, value in data.items() if name in fields}
    large = {name: value for name, value in known.items() if isinstance(value, dict) and len(value) > _ENTRIES_AT_ONCE}
    parts = {name: list(_chunks(value)) for name, value in large.items()}
    first = known | {name: chunks[0] for name, chunks in parts.items()}
    first |= dict.fromkeys(unknown)
    yield first
    for name, chunks in parts.items():
        for chunk in chunks[1:]:
            yield {**first, name: chunk}


def _chunks(entries: dict[str, Any]) -> Iterator[dict[str, Any]]:
    items = iter(entries.items())
    while chunk := dict(islice(items, _ENTRIES_AT_ONCE)):
        yield chunk


def _one_for_each_value(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave away what else is wrong with a value that has to be written anew as it is."""
    seen: set[tuple[int, int, str]] = set()
    for finding in findings:
        place = (finding.line, finding.column, finding.path)
        if finding.rule in _ABOUT_A_VALUE and place in seen:
            continue
        seen.update([place] if finding.rule in _ABOUT_A_VALUE else [])
        yield finding


@cache
def _content(schema: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
    return content


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(_content(schema), validate_formats=True)


def _findings(document: Document, error: ValidationError, content: dict[str, Any]) -> Iterator[Finding]:
    path = tuple(error.instance_path)
    if isinstance(error.kind, ValidationErrorKind.PropertyNames):
        name = error.kind.error
        problem, remedy = f"{shown(name.instance)} cannot be a name", description(_around(content, name))
        yield document.finding((*path, str(name.instance)), problem, remedy, rule="SL024", at_key=True)
        return
    keyword, schema = str(error.schema_path[-1]), _around(content, error)
    instance: Any = error.instance  # the keyword says what kind of value it is
    match keyword:
        case "additionalProperties" if "properties" in schema:
            yield from _unknown_fields(document, path, instance, schema["properties"])
        case "required":
            yield from _missing_fields(document, path, instance, schema, _fields(content, error.schema_path))
        case "dependentRequired":
            yield from _missing_companions(document, path, instance, schema)
        case "uniqueItems":
            yield from _repeated_items(document, path, instance)
        case _ if isinstance(error.kind, ValidationErrorKind.FalseSchema):
            remedy = f"take it out: {description(_enclosing(content, error.schema_path))}"
            yield document.finding(path, "cannot stand here", remedy, rule="SL020", at_key=True)
        case _:
            problem = problem_of(keyword, schema[keyword], instance)
            remedy = remedy_of(keyword, schema[keyword], instance, schema)
            yield document.finding(path, problem, remedy, rule="SL022" if keyword == "type" else "SL023")


def _around(content: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Return the schema whose keyword was not met."""
    schema: Any = content
    for step in error.schema_path[:-1]:
        schema = schema[step]
    return schema if isinstance(schema, dict) else {}


def _enclosing(content: dict[str, Any], schema_path: Sequence[str | int]) -> dict[str, Any]:
    """Return the schema that forbids a field; its description says when."""
    schema: Any = content
    for step in schema_path[:-2]:
        schema = schema[step]
    return schema if isinstance(schema, dict) else {}


def _fields(content: dict[str, Any], schema_path: Sequence[str | int]) -> dict[str, Any]:
    """Collect the fields that the schemas around a place describe: what an `if` demands is described outside of it."""
    fields: dict[str, Any] = {}
    schema: Any = content
    for step in schema_path:
        if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
            fields |= schema["properties"]
        schema = schema[step]
    return fields


def _missing_fields(
    document: Document, path: Steps, instance: dict[str, Any], schema: dict[str, Any], fields: dict[str, Any]
) -> Iterator[Finding]:
    """Find what is missing, except what is there under a misspelt name: that is found as an unknown field."""
    misspelt = _misspelt(instance, schema, fields)
    for name in schema["required"]:
        if name not in instance and name not in misspelt:
            yield document.finding(
                path, f"{name} is missing", addition(name, fields.get(name, {})), rule="SL021", at_key=True
            )


def _misspelt(instance: dict[str, Any], schema: dict[str, Any], fields: dict[str, Any]) -> set[str | None]:
    """Return the fields that are probably meant by what is no field: they are there, under another name."""
    closed = schema.get("additionalProperties") is False
    unknown = [name for name in instance if name not in fields][:_NAMES_COMPARED] if closed else []
    return {nearest(name, fields) for name in unknown}


def _unknown_fields(
    document: Document, path: Steps, instance: dict[str, Any], fields: dict[str, Any]
) -> Iterator[Finding]:
    for name in instance:
        if name not in fields:
            remedy = did_you_mean(name, fields, of="fields")
            yield document.finding((*path, name), "is not a field here", remedy, rule="SL020", at_key=True)


def _missing_companions(
    document: Document, path: Steps, instance: dict[str, Any], schema: dict[str, Any]
) -> Iterator[Finding]:
    """Find what is missing beside other fields, once for all of them."""
    there = {*instance, *_misspelt(instance, schema, schema.get("properties", {}))}
    for given, needed in schema["dependentRequired"].items():
        for missing in needed:
            if given in instance and missing not in there:
                there.add(missing)
                remedy = f"add {missing}, or take out {given}"
                yield document.finding((*path, given), f"stands without {missing}", remedy, rule="SL021", at_key=True)


def _repeated_items(document: Document, path: Steps, instance: list[Any]) -> Iterator[Finding]:
    for index, item in enumerate(instance):
        if item in instance[:index]:
            problem = f"{shown(item)} is in the list twice"
            yield document.finding((*path, index), problem, "keep one of them", rule="SL023")
