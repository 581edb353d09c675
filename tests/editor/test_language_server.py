"""The real language server of editors completes and checks the files of the registry by their first line.

check.mjs speaks its protocol as an editor does, and says line by line what it held the server to.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
PROJECT = HERE.parent.parent


def test_an_editor_completes_explains_and_checks_the_files_of_the_registry(node_packages: Path) -> None:
    server = node_packages / "yaml-language-server" / "bin" / "yaml-language-server"

    asked = subprocess.run(
        ["node", str(HERE / "check.mjs"), str(PROJECT)],
        env={**os.environ, "SERVER": str(server)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.endswith("all as it should be\n")
    assert asked.stdout.count("ok  ") >= 14
