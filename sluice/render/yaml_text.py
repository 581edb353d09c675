"""Values as YAML that Kubernetes and Prometheus read as exactly these values, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

# Kubernetes reads YAML 1.1, where more words and numbers than in 1.2 are not text: what is not plainly text is quoted.
_PLAINLY_TEXT = re.compile(r"[A-Za-z/][A-Za-z0-9_./:@-]*")
_WORDS_OF_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

# ruamel.yaml looks at each character in turn, a megabyte in seconds: lines that need no care are put in afterwards.
_LONG = 10_000
_PLAIN_LINES = re.compile(r"(?! )(?:[ -~]*[!-~]\n)+")
_DIGEST = re.compile(r"^( +)([0-9a-f]{64})\n", re.MULTILINE)


def yaml_text(body: dict[str, Any]) -> str:
    """Write an object as YAML that Kubernetes reads as exactly this object."""
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 4096  # a line is never folded, so that a change of one word is a change of one line
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    long: dict[str, str] = {}
    writer.dump(_styled(body, long), text)
    return _DIGEST.sub(lambda found: _indented(long.get(found[2], f"{found[2]}\n"), found[1]), text.getvalue())


def _indented(text: str, by: str) -> str:
    return "".join(f"{by}{line}\n" for line in text.splitlines())


def _styled(value: Any, long: dict[str, str]) -> Any:
    """Say how each text is to be written; what is long goes into `long`, and its digest stands in its place."""
    match value:
        case dict():
            return {_styled(key, long): _styled(item, long) for key, item in value.items()}
        case list():
            return [_styled(item, long) for item in value]
        case str() if len(value) > _LONG and _PLAIN_LINES.fullmatch(value):
            digest = hashlib.sha256(value.encode()).hexdigest()
            long[digest] = value
            return LiteralScalarString(f"{digest}\n")
        case str() if "\n" in value:
            return LiteralScalarString(value)
        case str() if not _PLAINLY_TEXT.fullmatch(value) or value.lower() in _WORDS_OF_YAML_1_1:
            return DoubleQuotedScalarString(value)
        case _:
            return value
