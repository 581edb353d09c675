"""Writes JSON that a person can review inside a manifest, the same bytes each time.

What is short stays on one line, so that a thousand agents still fit into a ConfigMap; the rest is indented.
"""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 110


def json_text(value: Any) -> str:
    """Write `value` as JSON in the order it has, with a line break at the end."""
    return _written(value, indent=0, before=0) + "\n"


def _written(value: Any, *, indent: int, before: int) -> str:
    on_one_line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, (dict, list)) or not value or indent + before + len(on_one_line) <= _WIDTH:
        return on_one_line
    inner = indent + 2
    if isinstance(value, dict):
        keys = [f"{json.dumps(key, ensure_ascii=False)}: " for key in value]
        items = [
            key + _written(item, indent=inner, before=len(key)) for key, item in zip(keys, value.values(), strict=True)
        ]
        opening, closing = "{", "}"
    else:
        items = [_written(item, indent=inner, before=0) for item in value]
        opening, closing = "[", "]"
    between = ",\n" + " " * inner
    return f"{opening}\n{' ' * inner}{between.join(items)}\n{' ' * indent}{closing}"
