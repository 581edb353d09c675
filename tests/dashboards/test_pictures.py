"""Every picture in docs is shown by a page, and every dashboard has one of its data there."""

from __future__ import annotations

import re

from sluice.render.dashboards import DASHBOARDS
from tests.rules.promtool import PROJECT

DOCS = PROJECT / "docs"
_SHOWN = re.compile(r"!\[(\w+)[^\]]*\]\((pictures/[\w/-]+\.svg)\)")


def test_every_picture_is_shown_and_every_one_that_is_shown_is_there() -> None:
    shown = {file for page in DOCS.glob("*.md") for _, file in _SHOWN.findall(page.read_text())}

    assert shown == {str(file.relative_to(DOCS)) for file in (DOCS / "pictures").rglob("*.svg")}


def test_the_page_of_dashboards_has_a_picture_of_each() -> None:
    pictured = {dashboard for dashboard, _ in _SHOWN.findall((DOCS / "dashboards.md").read_text())}

    assert {f"Sluice: {dashboard.lower()}" for dashboard in pictured} == {page.title for page in DASHBOARDS}
