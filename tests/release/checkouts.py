"""Checkouts that a release can be made of: the few files that matter, committed."""

from __future__ import annotations

from pathlib import Path

from tests.gitops.project import git

CHANGELOG = """# Changelog

## Unreleased

- What comes next.

## 1.2.0, 2026-03-01

- The gateway sings.

### Upgrading

Nothing is to be edited.

## 1.1.0, 2026-02-01

- The gateway hums.
"""

PYPROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "sluice"
dynamic = ["version"]
requires-python = ">=3.11"

[tool.hatch.version]
path = "sluice/__init__.py"
"""


def made_checkout(folder: Path) -> Path:
    """Write and commit what is needed for a release 1.2.0."""
    for name, text in {
        "CHANGELOG.md": CHANGELOG,
        "pyproject.toml": PYPROJECT,
        "sluice/__init__.py": '"""Made."""\n\n__version__ = "1.2.0"\n',
        "sluice/commit.txt": "$Format:%H$\n",
        ".gitattributes": "sluice/commit.txt export-subst\n",
        ".gitignore": "dist/\n",
        "requirements/command.lock": "click==8.0 \\\n    --hash=sha256:00\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    committed(folder)
    return folder


def committed(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Made")
    return git(folder, "rev-parse", "HEAD")
