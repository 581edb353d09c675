"""A JSON document over several ConfigMaps, where one does not hold what thousands of agents say.

The first has all that is said once, and how many there are; what is shared out stands in it and in the others, each
entry whole and in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.render.configuration_map import configuration_map, named_by_content
from sluice.render.json_text import json_text
from sluice.render.kubernetes_object import KubernetesObject

LARGEST_BYTES = 1_000_000
"""What is put into one ConfigMap; Kubernetes takes 1,048,576 bytes."""


def dealt_out(content: dict[str, Any], shared: Sequence[str]) -> list[str]:
    """Write the content as one text, or as several with the entries of the fields `shared` dealt out among them."""
    text = json_text(content)
    if len(text.encode()) <= LARGEST_BYTES:
        return [text]
    parts: list[dict[str, dict[str, Any]]] = [{}]
    nothing: dict[str, dict[str, Any]] = {kind: {} for kind in shared}
    # Beside the longest there may be: the number of parts, which is known last.
    room = LARGEST_BYTES - len(json_text({**content, **nothing, "parts": 9999}).encode())
    for kind in shared:
        for name, value in content[kind].items():
            size = _most_bytes(name, value)
            if size > room:
                parts.append({})
                room = LARGEST_BYTES
            parts[-1].setdefault(kind, {})[name] = value
            room -= size
    first = {**content, **nothing, **parts[0], "parts": len(parts)}
    return [json_text(first), *map(json_text, parts[1:])]


def configuration_maps(
    prefix: str, file: str, texts: Sequence[str], namespace: str, named: Mapping[str, str]
) -> tuple[KubernetesObject, ...]:
    """Render texts as `FILE.json`, `FILE-1.json` and so on, each in a ConfigMap named by `prefix` and what all say.

    Another content is another name, and so restarts the pods that mount it.
    """
    name = named_by_content(prefix, texts)
    return tuple(
        configuration_map(f"{name}{_suffix(number)}", {f"{file}{_suffix(number)}.json": text}, namespace, named)
        for number, text in enumerate(texts)
    )


def _suffix(number: int) -> str:
    return f"-{number}" if number else ""


def _most_bytes(name: str, value: Any) -> int:
    """Return what one entry takes at the most, with its indentation."""
    text = json_text({name: value})
    return len(text.encode()) + 8 * (text.count("\n") + 1)
