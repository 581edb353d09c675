"""The dashboards of production, as Grafana gets them."""

from __future__ import annotations

import json
from typing import Any

from sluice.render.dashboards import dashboard_files
from tests.rules.promtool import DECLARED

FILES = dashboard_files(DECLARED.settings)
PAGES: dict[str, dict[str, Any]] = {page["uid"]: page for page in map(json.loads, FILES.values())}
PANELS = {(uid, panel["id"]): panel for uid, page in PAGES.items() for panel in page["panels"]}


def expressions(panel: dict[str, Any]) -> list[str]:
    """What a panel asks."""
    return [target["expr"] for target in panel["targets"]]
