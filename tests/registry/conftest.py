"""What tests of settings share: a folder that they stand in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.registry.settings_example import RIGHT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("Pulumi.dev.yaml").write_text(RIGHT)
    return Path()
