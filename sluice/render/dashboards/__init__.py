"""Dashboards: the pages that people look at and alerts lead to, for Grafana.

What each page shows stands in the file named after it, as values; `grafana.py` alone knows Grafana's words, and
`objects.py` hands the pages over. Limits are series (`sluice_threshold`), so none of it grows with the agents.
"""

from sluice.render.dashboards.objects import dashboard_files, dashboards, write_dashboards
from sluice.render.dashboards.pages import DASHBOARDS, AskedQuery, queries

__all__ = [
    "DASHBOARDS",
    "AskedQuery",
    "dashboard_files",
    "dashboards",
    "queries",
    "write_dashboards",
]
