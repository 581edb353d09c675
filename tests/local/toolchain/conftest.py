"""A cache of a test's own, a progress that says nothing, and a PATH on which only the system and made programs are."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.progress import Progress
from tests.local.toolchain.fake_programs import FakeGo, path_of


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def quiet() -> Progress:
    return Progress(quiet=True)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the PATH; of the machine's programs only the system's own remain."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", path_of([folder]))
    return folder


@pytest.fixture
def fake_go(programs: Path) -> FakeGo:
    go = FakeGo(programs)
    go.install()
    return go


@pytest.fixture
def real_go() -> str:
    """The machine's Go. Without one these tests fail where they must not be skipped, in CI."""
    go = shutil.which("go")
    if go is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Go on the PATH")
        pytest.skip("NOT TESTED: there is no Go on the PATH")
    return go


@pytest.fixture
def interrupts_are_heard() -> Iterator[None]:
    """A shell lets what it starts in the background ignore interrupts, and that is handed down to every child."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
