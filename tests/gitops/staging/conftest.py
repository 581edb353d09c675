"""This project's own files in a repository that others push to, with qa and legal of staging at 10 %."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.git import Git
from sluice.gitops.advancing import Outcome, Requesting
from sluice.gitops.branches import Others
from sluice.gitops.drafting import Drafting
from sluice.gitops.forge.github import GitHub
from sluice.gitops.stepping import Stepping
from sluice.registry import load_environment
from sluice.render import manifests, render
from sluice.rollout.proposal import Force
from tests.gitops.made_forges import TOKEN, MadeGitHub, served
from tests.gitops.project import Repositories, cloned, git, whole_project
from tests.gitops.staging.made_judge import FILE, Advance, MadeJudge
from tests.rollout.examples import NOW, good


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository of the project, in which staging has qa and legal at 10 %."""
    folder = tmp_path_factory.mktemp("begun")
    project = whole_project(folder / "project")
    text = (project / FILE).read_text()
    for agent in ("qa", "legal"):
        text = text.replace(
            f"{agent}-20251031, weight: 100, since: 2025-11-06", f"{agent}-20251031, weight: 10, since: 2025-11-09"
        )
    (project / FILE).write_text(text)
    declared = load_environment(project, "staging")
    for name, content in manifests(render(declared.registry, declared.rollout, declared.settings)).items():
        (project / "manifests/staging" / name).write_text(content)
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "Begin")
    subprocess.run(["git", "clone", "-q", "--bare", str(project), str(folder / "begun.git")], check=True)
    return folder / "begun.git"


@pytest.fixture
def repositories(begun: Path, tmp_path: Path) -> Repositories:
    bare = tmp_path / "everybodys.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(begun), str(bare)], check=True)
    return Repositories(bare, cloned(bare, tmp_path / "ada", "Ada"), cloned(bare, tmp_path / "grace", "Grace"))


@pytest.fixture
def made(repositories: Repositories) -> Iterator[MadeGitHub]:
    with served(MadeGitHub(repositories.bare)) as forge:
        assert isinstance(forge, MadeGitHub)
        yield forge


@pytest.fixture
def judge() -> MadeJudge:
    return MadeJudge({agent: good() for agent in ("qa", "legal")})


@pytest.fixture
def advance(repositories: Repositories, made: MadeGitHub, judge: MadeJudge) -> Advance:
    forge = GitHub("owner/made", made.address, TOKEN, sleep=lambda _: None)
    where = Requesting(Others(Git(repositories.mine), "origin", "main"), forge, "staging")

    def run_it(*groups: tuple[str, ...], force: Force | None = None) -> list[Outcome]:
        def draft(group: tuple[str, ...]) -> Drafting:
            stepping = Stepping("staging", group, judge, force)
            return Drafting(repositories.mine, "staging", stepping, NOW.date(), force)

        return list(where.each(groups, draft))

    return run_it
