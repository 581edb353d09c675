"""Writes docs/registry.md and docs/rules.md from the schemas and the rules, by `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from sluice.registry.reference_page import reference_page
from sluice.registry.rules.page import rules_page


def documentation() -> dict[str, str]:
    """Return the pages by the names of their files in docs/."""
    return {"registry.md": reference_page(), "rules.md": rules_page()}


if __name__ == "__main__":
    for name, text in documentation().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
