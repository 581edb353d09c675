"""Writes docs/registry.md, docs/rules.md and docs/environments.md from schemas, rules and settings, by `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from sluice.registry.environments_page import environments_page
from sluice.registry.reference_page import reference_page
from sluice.registry.rules.page import rules_page
from sluice.registry.shape import SCHEMAS


def documentation() -> dict[str, str]:
    """Return the pages by the names of their files in docs/."""
    project = SCHEMAS.parent.parent
    return {
        "registry.md": reference_page(),
        "rules.md": rules_page(),
        "environments.md": environments_page(project),
    }


if __name__ == "__main__":
    for name, text in documentation().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
