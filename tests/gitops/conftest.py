"""What tests of requests share: real repositories, nobody's git settings, and a forge that answers on 127.0.0.1."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.git import Git
from sluice.gitops.branches import Others
from sluice.gitops.owners import OWNERS
from tests.gitops.project import PROJECT, Repositories, git, made_repositories, whole_project


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "SLUICE_FORGE_API", "GITHUB_SERVER_URL", "CI_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return made_repositories(tmp_path)


@pytest.fixture
def others(repositories: Repositories) -> Others:
    return Others(Git(repositories.mine), "origin", "main")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """This project's own files, as one commit."""
    folder = whole_project(tmp_path / "project")
    (folder / ".github").mkdir()
    shutil.copy(PROJECT / OWNERS, folder / OWNERS)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


@pytest.fixture
def shared(project: Path, tmp_path: Path) -> Repositories:
    """The project, pushed to a bare repository."""
    bare = tmp_path / "everybodys.git"
    git(tmp_path, "clone", "-q", "--bare", str(project), str(bare))
    git(project, "remote", "add", "origin", str(bare))
    return Repositories(bare, project, project)
