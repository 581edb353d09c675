"""docs/registry.md: every field of every file, written from the schemas, so that the page cannot say anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sluice.registry.shape import SCHEMAS

_FILES = ("models", "rollout", "evidence", "settings")
_HEAD = """\
# The files of the registry

Written by `make docs` from the schemas in registry/schema/; do not edit it. [The rules](rules.md) say what the values
must mean beside each other.

The schemas are JSON Schema 2020-12. Editors with yaml-language-server check and complete by the first line of each
file, `# yaml-language-server: $schema=...`; tests/editor/ shows it with the real server. Durations are a number with
`s`, `m`, `h` or `d`. `${NAME}` stands for a variable of the environment in the fields that say so, and nowhere else.
"""


def reference_page() -> str:
    """Write the page: for each file its fields by their path, with type, unit, default, bounds and an example."""
    parts = [_HEAD]
    for name in _FILES:
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        parts.append(f"\n## {schema['title']}\n\n{schema['description']}\n")
        parts.append("\n| field | what it is | type, unit | needed | example |\n|---|---|---|---|---|\n")
        parts += [f"{row}\n" for row in _rows(schema, schema, "")]
    return "".join(parts)


def _rows(schema: Mapping[str, Any], part: Mapping[str, Any], before: str) -> Iterator[str]:
    """Yield a row for each field below `part`, in the order of the schema."""
    needed = part.get("required", ())
    for name, given in part.get("properties", {}).items():
        yield from _row(schema, resolved(schema, given), before + name, name in needed)
    if isinstance(part.get("additionalProperties"), Mapping):
        yield from _row(schema, resolved(schema, part["additionalProperties"]), f"{before}NAME", False)


def _row(schema: Mapping[str, Any], field: Mapping[str, Any], path: str, needed: bool) -> Iterator[str]:
    what = f"**{field['title']}.** {field['description']}"
    if "default" in field:
        what += f" Default: `{_plain(field['default'])}`."
    example = f"`{_plain(field['examples'][0])}`" if "examples" in field else ""
    yield f"| `{path}` | {what} | {_type(field)} | {'yes' if needed else ''} | {example} |"
    yield from _rows(schema, field, f"{path}.")
    if isinstance(field.get("items"), Mapping):
        items = resolved(schema, field["items"])
        if "properties" in items:
            yield from _rows(schema, items, f"{path}[].")


def resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a schema's $ref; what stands beside it counts more."""
    if "$ref" not in part:
        return part
    return {**schema["$defs"][part["$ref"].removeprefix("#/$defs/")], **part}


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        words = "one of " + ", ".join(f"`{value}`" for value in field["enum"])
        return words if field.get("unit", "word") == "word" else f"{words}; {field['unit']}"
    if "const" in field:
        return f"`{field['const']}`"
    kind = {"object": "mapping", "array": "list", "integer": "whole number", "string": "text"}
    words = kind.get(field.get("type", ""), field.get("type", ""))
    unit = field.get("unit", "")
    if unit and unit != words:
        words = f"{words}, {unit}" if field.get("type") in {"integer", "number"} else unit
    if "minimum" in field and "maximum" in field:
        words += f", {_plain(field['minimum'])} to {_plain(field['maximum'])}"
    return words + (", `${NAME}` expands" if field.get("expands") else "")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
