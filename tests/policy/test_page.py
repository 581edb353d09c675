"""The page about the policy is written from the rules."""

from __future__ import annotations

import pytest

from sluice.local.folders import PROJECT
from sluice.policy.page import page

PAGE = PROJECT / "docs" / "policy.md"


def test_the_page_is_written_from_the_rules(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--refresh-expected"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page(), "run: pytest tests/policy/test_page.py --refresh-expected"
