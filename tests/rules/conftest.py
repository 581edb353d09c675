"""The programs that judge rules: Debian's own builds, downloaded once. Without them these tests fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.local.folders import cache_folder
from sluice.local.monitoring_programs import MonitoringPrograms, ensure_monitoring_programs
from sluice.progress import Progress


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> MonitoringPrograms:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        return ensure_monitoring_programs(cache_folder(), Progress())


@pytest.fixture(scope="session")
def promtool(programs: MonitoringPrograms) -> Path:
    return programs.promtool
