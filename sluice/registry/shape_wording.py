"""Says in plain sentences what is wrong with a value that a schema refuses, and what would be right.

The words come from the schema where it has them: a field's description is the remedy that its author wrote.
"""

from __future__ import annotations

import json
from typing import Any

from sluice.registry.findings import choices, did_you_mean, shown

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_LIMITS = {
    "minimum": "the least is",
    "minItems": "the least is",
    "minProperties": "the least is",
    "minLength": "the least is",
    "exclusiveMinimum": "it is more than",
    "exclusiveMaximum": "it is less than",
    "maximum": "the most is",
    "maxItems": "the most is",
    "maxProperties": "the most is",
    "maxLength": "the most is",
}
_TRUE_WORDS = {"yes", "on", "1", "true"}
_FALSE_WORDS = {"no", "off", "0", "false"}


def addition(name: str, field: dict[str, Any]) -> str:
    """Say how to add a field that is missing."""
    return f"add it, for example {name}: {_example(field)}" if "examples" in field else "add it"


def description(schema: dict[str, Any]) -> str:
    """Say what a field is for, as the end of a finding: its description without the last full stop, and an example."""
    text = str(schema.get("description") or schema.get("title") or "the schema says more").rstrip(".")
    example = f", for example {_example(schema)}" if schema.get("type") == "string" and "examples" in schema else ""
    return f"{text[0].lower()}{text[1:]}{example}"


def problem_of(keyword: str, expected: Any, instance: Any) -> str:
    """Say what is wrong with `instance`, which does not meet `keyword`."""
    match keyword:
        case "minItems" | "minProperties" | "minLength" if not instance:
            return "is empty"
        case "minItems" | "maxItems" | "minProperties" | "maxProperties":
            return f"has {len(instance)} entries"
        case "minLength" | "maxLength":
            return f"is {len(instance)} characters long"
        case "type" if instance is None:
            return "has no value"
        case "type":
            return f"{shown(instance)} is not {_kind(expected)}"
        case "minimum" | "exclusiveMinimum":
            return f"{shown(instance)} is too small"
        case "maximum" | "exclusiveMaximum":
            return f"{shown(instance)} is too large"
        case "format":
            return f"{shown(instance)} is not a date"
        case _:
            return f"{shown(instance)} cannot be used here"


def remedy_of(keyword: str, expected: Any, instance: Any, schema: dict[str, Any]) -> str:
    """Say what would be right in place of `instance`, which does not meet `keyword`: `expected`."""
    match keyword:
        case "const":
            return f"it is {expected}, without quotes" if instance == str(expected) else f"it is {expected}"
        case "enum":
            return _remedy_of_choice(expected, instance)
        case "type":
            return _remedy_of_type(expected, instance, schema)
        case "format":
            return "write a date that exists, like 2025-11-06"
        case "minItems" | "minProperties" if expected == 1:
            return "name at least one"
        case "minLength" if expected == 1:
            return description(schema)
        case _ if keyword in _LIMITS:
            return f"{_LIMITS[keyword]} {expected}"
        case _:
            return description(schema)


def _remedy_of_choice(expected: list[Any], instance: Any) -> str:
    words = [_word(each) for each in expected]
    if isinstance(instance, str) and instance in words and instance not in expected:
        return f"write {instance} without quotes"
    return did_you_mean(instance, words, of="values") if isinstance(instance, str) else choices(words, of="values")


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _kind(expected: str | list[str]) -> str:
    return " or ".join(_KINDS.get(kind, kind) for kind in ([expected] if isinstance(expected, str) else expected))


def _remedy_of_type(expected: str | list[str], instance: Any, schema: dict[str, Any]) -> str:
    word = str(instance).lower()
    if expected == "boolean" and word in _TRUE_WORDS | _FALSE_WORDS:
        return f"write {'true' if word in _TRUE_WORDS else 'false'}"
    if expected == "string" and isinstance(instance, (int, float)):
        return "put it in quotes if it is meant as text"
    if expected == "object":
        return "write its fields on the lines below it"
    if expected == "array" and "examples" in schema:
        return f"write a list, for example {_example(schema)}"
    if expected in ("integer", "number") and isinstance(instance, str):
        return "write it as a number, without quotes or units"
    return description(schema)


def _example(field: dict[str, Any]) -> str:
    """Write a field's example as YAML has it, as plainly as the files themselves."""
    example = field["examples"][0]
    return example if isinstance(example, str) else json.dumps(example).replace('"', "")
