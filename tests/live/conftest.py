"""A cluster for the whole run, and a project of its own with an environment `live` in it.

The cluster is the local one: started when it does not run, and then stopped at the end. The project is a copy of this
checkout, so that a test can edit the registry as a person would; its environment has its own namespace and port and
never touches `dev`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.target import start_local_cluster
from sluice.local import cluster as local_cluster
from sluice.local.folders import PROJECT, state_folder
from sluice.progress import Progress
from tests.live.fault_table import TABLE
from tests.live.project import LiveProject
from tests.live.shown import Say, shown


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/live/" in item.path.as_posix():
            item.add_marker(pytest.mark.live)
        if "tests/live/faults/" in item.path.as_posix():
            item.add_marker(pytest.mark.faults)
    # What looks at a stopped cluster comes last: it stops the cluster of all the others.
    items.sort(key=lambda item: item.path.name == "test_stopping.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in TABLE.lines():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def cluster_ran_before() -> bool:
    """Whether a person was using the local cluster already."""
    return local_cluster.status(state_folder()).is_up


@pytest.fixture(scope="session")
def cluster(cluster_ran_before: bool) -> Iterator[ClusterAccess]:
    start_local_cluster(Progress())
    yield ClusterAccess(local_cluster.kubeconfig(state_folder()))
    if not cluster_ran_before:
        local_cluster.down(Progress(), state_folder())


@pytest.fixture(scope="session")
def project(cluster: ClusterAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProject]:
    folder = tmp_path_factory.mktemp("project") / "sluice"
    left_out = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "manifests", "tests")
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(*left_out))
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    made = LiveProject(folder, cluster)
    made.add_environment()
    yield made
    destroyed = made.pulumi("destroy", "--yes")
    assert destroyed.exit_code == 0, destroyed.stderr


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """Print a line where a reader of the run sees it, under the name of the file."""
    subject = request.path.stem.removeprefix("test_").replace("_", " ")

    def said(line: str) -> None:
        with shown(request.config):
            print(f"\n  {subject}: {line}")

    return said


@pytest.fixture
def fresh_project(project: LiveProject) -> Iterator[LiveProject]:
    """The project as it was before a test edits its files."""
    kept = project.folder.with_name("kept")
    shutil.copytree(project.folder, kept, symlinks=True)
    yield project
    shutil.rmtree(project.folder)
    Path(kept).rename(project.folder)
