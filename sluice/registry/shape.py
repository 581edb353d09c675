"""Holds a document against its JSON Schema and says in plain sentences where it differs.

The schemas lie in registry/schema/, where editors find them by the files' first line. They say what shape a file has;
what its values must mean beyond that is said by the other checks of this package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from sluice.registry.document import Document, Steps
from sluice.registry.findings import Finding, choices, did_you_mean, nearest, shown

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "registry" / "schema"

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_TRUE_WORDS = {"yes", "on", "1", "true"}
_FALSE_WORDS = {"no", "off", "0", "false"}


def check_shape(document: Document, schema: str) -> tuple[Finding, ...]:
    """Check `document` against the schema named `schema`, for example `models`."""
    errors = _validator(schema).iter_errors(document.data)
    return tuple(dict.fromkeys(finding for error in errors for finding in _findings(document, error)))


@cache
def _validator(schema: str) -> Draft202012Validator:
    content = json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(content, format_checker=FormatChecker(["date"]))


def _findings(document: Document, error: ValidationError) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    # jsonschema types these as possibly unset; errors that come from a validator have them.
    instance: Any = error.instance
    expected: Any = error.validator_value
    schema: dict[str, Any] = dict(error.schema) if isinstance(error.schema, Mapping) else {}
    match error.validator:
        case "additionalProperties":
            yield from _unknown_fields(document, path, instance, schema["properties"])
        case "required":
            yield from _missing_fields(document, path, instance, schema)
        case "dependentRequired":
            yield from _missing_companions(document, path, instance, expected)
        case _ if "propertyNames" in error.absolute_schema_path:
            problem = f"{shown(instance)} cannot be a name"
            yield document.finding((*path, instance), problem, _description(schema), rule="SL024", at_key=True)
        case _:
            keyword = str(error.validator)
            problem, remedy = _problem(keyword, expected, instance), _remedy(keyword, expected, instance, schema)
            yield document.finding(path, problem, remedy, rule="SL022" if keyword == "type" else "SL023")


def _missing_fields(
    document: Document, path: Steps, instance: dict[str, Any], schema: dict[str, Any]
) -> Iterator[Finding]:
    """Find what is missing, except what is there under a misspelt name: that is found as an unknown field."""
    fields = schema["properties"]
    closed = schema.get("additionalProperties") is False
    misspelt = {nearest(name, fields) for name in instance if name not in fields} if closed else set()
    for name in schema["required"]:
        if name not in instance and name not in misspelt:
            yield document.finding(path, f"{name} is missing", _addition(name, fields[name]), rule="SL021", at_key=True)


def _unknown_fields(
    document: Document, path: Steps, instance: dict[str, Any], fields: dict[str, Any]
) -> Iterator[Finding]:
    for name in instance:
        if name not in fields:
            remedy = did_you_mean(name, fields, of="fields")
            yield document.finding((*path, name), "is not a field here", remedy, rule="SL020", at_key=True)


def _missing_companions(
    document: Document, path: Steps, instance: dict[str, Any], companions: dict[str, list[str]]
) -> Iterator[Finding]:
    for given, needed in companions.items():
        for missing in needed:
            if given in instance and missing not in instance:
                remedy = f"add {missing}, or take out {given}"
                yield document.finding((*path, given), f"stands without {missing}", remedy, rule="SL021", at_key=True)


def _addition(name: str, field: dict[str, Any]) -> str:
    return f"add it, for example {name}: {_example(field)}" if "examples" in field else "add it"


def _example(field: dict[str, Any]) -> str:
    """Write a field's example as YAML has it, as plainly as the files themselves."""
    example = field["examples"][0]
    return example if isinstance(example, str) else json.dumps(example).replace('"', "")


def _problem(rule: str, expected: Any, instance: Any) -> str:
    match rule:
        case "uniqueItems":
            return "names the same model twice"
        case "minItems" | "minProperties" | "minLength":
            return "is empty"
        case "maxItems":
            return f"has {len(instance)} entries"
        case "maxLength":
            return f"is {len(instance)} characters long"
        case "type":
            return f"{shown(instance)} is not {_KINDS[expected]}"
        case "minimum":
            return f"{shown(instance)} is too small"
        case "maximum":
            return f"{shown(instance)} is too large"
        case "format":
            return f"{shown(instance)} is not a date"
        case _:
            return f"{shown(instance)} cannot be used here"


def _remedy(rule: str, expected: Any, instance: Any, schema: dict[str, Any]) -> str:
    match rule:
        case "const":
            return f"it is {expected}"
        case "enum" if isinstance(instance, str):
            return did_you_mean(instance, expected, of="values")
        case "enum":
            return choices(expected, of="values")
        case "type":
            return _remedy_of_type(expected, instance, schema)
        case "minimum":
            return f"the least is {expected}"
        case "maximum" | "maxItems" | "maxLength":
            return f"the most is {expected}"
        case "format":
            return "write a date that exists, like 2025-11-06"
        case "uniqueItems":
            return "keep one of them"
        case "minItems" | "minProperties":
            return "name at least one"
        case _:
            return _description(schema)


def _remedy_of_type(expected: str, instance: Any, schema: dict[str, Any]) -> str:
    word = str(instance).lower()
    if expected == "boolean" and word in _TRUE_WORDS | _FALSE_WORDS:
        return f"write {'true' if word in _TRUE_WORDS else 'false'}"
    if expected == "string" and isinstance(instance, (int, float)):
        return "put it in quotes if it is meant as text"
    if expected == "object":
        return "write its fields on the lines below it"
    if expected == "array" and "examples" in schema:
        return f"write a list, for example {_example(schema)}"
    if expected in {"integer", "number"} and isinstance(instance, str):
        return "write it as a number, without quotes or units"
    return _description(schema)


def _description(schema: dict[str, Any]) -> str:
    """Say what a field is for, as the end of a finding: its description without the last full stop, and an example."""
    text = str(schema.get("description") or schema.get("title") or "the schema says more").rstrip(".")
    example = f", for example {_example(schema)}" if schema.get("type") == "string" and "examples" in schema else ""
    return f"{text[0].lower()}{text[1:]}{example}"
