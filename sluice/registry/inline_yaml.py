"""Writes a value as YAML on one line, as a person would: plain where all readers agree on it, else quoted."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

from sluice.registry.scalars import AmbiguousScalar, meaning

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*( [A-Za-z0-9._/-]+)*")
_OLD_BOOLEANS = {"y", "n", "yes", "no", "on", "off"}


def written(value: Any, *, like: str = "") -> str:
    """Write a value on one line, in the quotes of the one it stands in place of."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format(Decimal(repr(value)), "f")
        case date():
            return _text(value.isoformat(), like)
        case str():
            return _text(value, like)
        case list():
            return f"[{', '.join(written(item) for item in value)}]"
        case _:
            return f"{{{', '.join(f'{key(name)}: {written(item)}' for name, item in value.items())}}}"


def _text(text: str, like: str) -> str:
    if like == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if like != '"' and _is_plain(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def key(name: str | int) -> str:
    """Write the name of a field."""
    return _text(str(name), "")


def _is_plain(text: str) -> bool:
    try:
        return bool(_PLAIN.fullmatch(text)) and meaning(text) == text and text.lower() not in _OLD_BOOLEANS
    except AmbiguousScalar:
        return False
