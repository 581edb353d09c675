"""The judges are made once, of what is pinned; a lock that cannot be installed leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice.local.toolchain import ensure_judges, judges
from sluice.local.toolchain.catalog import JUDGES
from sluice.local.toolchain.judges import LOCK
from sluice.local.toolchain.python_environment import PackagesNotInstalled
from sluice.progress import Progress
from tests.local.toolchain.fake_programs import FakeGo

pytestmark = pytest.mark.slow


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of no packages: it installs without a network."""
    made = tmp_path / "judges.lock"
    made.write_text("")
    monkeypatch.setattr(judges, "LOCK", made)
    return made


def environments(cache: Path) -> set[str]:
    return {entry.name for entry in (cache / "toolchain").iterdir() if re.match(r"judges-.*(?<!\.lock)$", entry.name)}


def test_the_judges_are_made_once_and_anew_for_another_lock(
    fake_go: FakeGo, cache: Path, quiet: Progress, lock: Path
) -> None:
    first = ensure_judges(cache, quiet)
    again = ensure_judges(cache, quiet)

    assert again == first
    assert fake_go.built() == [tool.binary for tool in JUDGES]
    assert first.python.exists()
    lock.write_text("# another\n")
    assert ensure_judges(cache, quiet).python != first.python
    assert len(environments(cache)) == 2


def test_a_lock_that_cannot_be_installed_is_named_and_leaves_nothing(
    fake_go: FakeGo, cache: Path, quiet: Progress, lock: Path
) -> None:
    lock.write_text("checkov == nothing\n")

    with pytest.raises(PackagesNotInstalled, match=r"judges\.lock: not installed; mend what pip says and(.|\n)*ERR"):
        ensure_judges(cache, quiet)

    assert environments(cache) == set()


def test_every_package_of_the_lock_has_its_hashes() -> None:
    packages = re.split(r"\n(?=\S)", LOCK.read_text().strip())

    assert {"checkov", "kubernetes-validate"} <= {package.partition("==")[0] for package in packages}
    assert all("--hash=sha256:" in package for package in packages)
