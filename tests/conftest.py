"""What holds for every test: its options, and that no property fails because the machine was slow.

`--hypothesis-profile many` tries each property on a thousand examples, or on as many as SLUICE_EXAMPLES says.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from sluice.local.folders import cache_folder

EDITOR = Path(__file__).parent / "editor"

# A property is tried on a few examples each time, and on many by `make long`; what a test found before is kept.
settings.register_profile("few", deadline=None, max_examples=30)
settings.register_profile("many", deadline=None, max_examples=int(os.environ.get("SLUICE_EXAMPLES", "1000")))
settings.load_profile("few")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-expected", action="store_true", help="write what is found into the files that say what is expected"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Take two workers for each core where `-n auto` asks: slow tests wait about as long as they compute."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def no_cluster_of_this_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever cluster a person runs here, or has in a kubeconfig, is no part of a test that is not `live`."""
    if "live" not in request.keywords:
        monkeypatch.setenv("SLUICE_STATE", os.devnull)  # a folder that nobody can make
        monkeypatch.delenv("KUBECONFIG", raising=False)


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """The packages of tests/editor/package-lock.json, installed once for each content of it, without their scripts.

    Without Node.js the tests that need them are skipped, and fail in CI.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no node with npm on the PATH")
        pytest.skip("NOT TESTED: there is no node with npm on the PATH")
    files = (EDITOR / "package.json", EDITOR / "package-lock.json")
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    installed = cache_folder() / "test-tools" / f"node-{digest[:12]}"
    if not installed.exists():
        installed.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=installed.parent) as scratch:
            for file in files:
                shutil.copy(file, scratch)
            npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(npm, cwd=scratch, capture_output=True, text=True, check=False, timeout=300)
            assert done.returncode == 0, done.stderr
            shutil.copytree(
                Path(scratch, "node_modules"), installed / "node_modules", symlinks=True, dirs_exist_ok=True
            )
    return installed / "node_modules"
