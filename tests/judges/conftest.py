"""The judges, made on first use, and what they judge.

They take minutes to make on a machine that has none of them, so they run where they are asked for by name alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.folders import cache_folder
from sluice.local.toolchain import JudgeTools, ensure_judges
from sluice.progress import Progress
from sluice.registry import environments
from sluice.render import write_manifests
from tests.everything import everything
from tests.judges.exceptions import PROJECT


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if "tests/judges/" in item.path.as_posix()]
    judging = [item for item in ours if "tools" in getattr(item, "fixturenames", ())]
    for item in judging:
        item.add_marker(pytest.mark.judges)
    asked_for: str = config.option.markexpr
    if asked_for and "judges" not in asked_for:
        items[:] = [item for item in items if item not in judging]
        config.hook.pytest_deselected(items=judging)


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest) -> JudgeTools:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        return ensure_judges(cache_folder(), Progress())


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of manifests of every environment, by the environment, and of one that has all that is optional."""
    whole = tmp_path_factory.mktemp("manifests") / "everything"
    write_manifests(everything(), whole)
    committed = {environment: PROJECT / "manifests" / environment for environment in environments(PROJECT)}
    return {**committed, "everything": whole}
