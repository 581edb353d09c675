"""JSON schemas for kubeconform, made from what the API server says that it takes: nothing is fetched.

Those of kinds that others serve are made from their custom resource definitions, likewise strict.

Each kind gets a file of its own that holds all it refers to. They are strict: a field that Kubernetes does not know is
refused, as it is by the API server's own strict validation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

LOCATION = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""How kubeconform finds the file of a kind in the folder."""

_REFERENCE = "#/definitions/"

# OpenAPI calls both of these text; in a manifest they may be numbers too.
_WRITTEN_AS_NUMBERS_TOO: Mapping[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}


def write_schemas(openapi: Path, folder: Path) -> None:
    """Write a schema for every kind of the API server's OpenAPI 2 description."""
    definitions: dict[str, dict[str, Any]] = json.loads(openapi.read_text())["definitions"]
    strict = {name: _WRITTEN_AS_NUMBERS_TOO.get(name) or _strict(body) for name, body in definitions.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in definitions.items():
        for kind in body.get("x-kubernetes-group-version-kind", ()):
            schema = {**strict[name], "definitions": {used: strict[used] for used in sorted(_used(name, strict))}}
            (folder / file_name(kind["group"], kind["version"], kind["kind"])).write_text(json.dumps(schema))


def write_defined_schemas(definitions: Iterable[Path], folder: Path) -> None:
    """Write a schema for every version that the custom resource definitions have served."""
    for file in definitions:
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            if version["served"]:
                name = file_name(spec["group"], version["name"], spec["names"]["kind"])
                (folder / name).write_text(json.dumps(_strict(version["schema"]["openAPIV3Schema"])))


def file_name(group: str, version: str, kind: str) -> str:
    """Return the name by which kubeconform asks for a kind: of the group it takes the first word alone."""
    words = [kind, group.split(".")[0], version] if group else [kind, version]
    return "-".join(words).lower() + ".json"


def _strict(schema: Any) -> Any:
    """Return a schema, of whatever depth, in which an object that lists its fields has no others."""
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: _strict(inner) for name, inner in value.items()} if key == "properties" else _strict(value)
        for key, value in schema.items()
        if key != "description" and not key.startswith("x-kubernetes")
    }
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def _used(name: str, definitions: Mapping[str, Any]) -> set[str]:
    """Return the definitions that one leads to, itself among them where it refers to itself."""
    used: set[str] = set()
    waiting = list(_references(definitions[name]))
    while waiting:
        found = waiting.pop()
        if found not in used:
            used.add(found)
            waiting.extend(_references(definitions[found]))
    return used


def _references(schema: Any) -> Iterator[str]:
    # By the text: a field may itself be called "$ref", and then holds a schema where a reference holds a name.
    return (found for found in re.findall(rf'"\$ref": "{_REFERENCE}([^"]+)"', json.dumps(schema)))
