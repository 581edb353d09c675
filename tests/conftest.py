"""What holds for every test: its options, and that no property fails because the machine was slow."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("sluice", deadline=None)
settings.load_profile("sluice")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-expected", action="store_true", help="write what is found into the files that say what is expected"
    )
