"""What tests of requests share: real repositories, nobody's git settings, and a forge that answers on 127.0.0.1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitops.project import Repositories, made_repositories


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "SLUICE_FORGE_API", "GITHUB_SERVER_URL", "CI_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return made_repositories(tmp_path)
