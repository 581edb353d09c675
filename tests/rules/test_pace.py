"""Where a month at this pace ends: the dashboard and `sluice cost` say the same at any moment of it."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.render.alerts.panels import Panel
from sluice.render.dashboards.cost import COST_DASHBOARD
from sluice.rollout.cost import Actual
from tests.rules.series import flat

pytestmark = pytest.mark.slow

SPENT = 18.0
MINUTES = (10, 60 * 12, 60 * 24 + 1, 60 * 24 * 9 + 60 * 12, 60 * 24 * 30 + 60 * 23)
"""Of January 1970: promtool's time begins with it."""


def test_the_dashboard_and_the_command_expect_the_same_of_a_months_end(promtool: Path, tmp_path: Path) -> None:
    (panel,) = [one for one in COST_DASHBOARD.panels if one.panel is Panel.MONTH_SPEND]
    (pace,) = [query.expression for query in panel.queries if "pace" in query.legend]
    said = {
        minutes: Actual(datetime.fromtimestamp(60 * minutes, UTC), SPENT, SPENT).month_at_this_pace_dollars
        for minutes in MINUTES
    }
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps({"evaluation_interval": "1m", "tests": [_test(pace, said)]}))

    ran = subprocess.run([str(promtool), "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len({round(dollars, 2) for dollars in said.values()}) == len(MINUTES) - 1, "both of the first day are alike"


def _test(expression: str, said: dict[int, float]) -> dict[str, object]:
    return {
        "interval": "1m",
        "input_series": [{"series": "sluice:spend_dollars:month", "values": flat(SPENT, max(said))}],
        "promql_expr_test": [
            {
                # To half a cent: promtool compares to the last bit.
                "expr": f"abs({expression} - {dollars:.4f}) < bool 0.005",
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            for minutes, dollars in said.items()
        ],
    }
