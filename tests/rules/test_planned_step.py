"""What is held back while a weight was just changed: real messages of a real Alertmanager, by production's routes.

Only what the routes wait is shorter, so that a test ends. What is not told is not waited for: it is looked for once
what came after it was told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from sluice.local.monitoring_programs import MonitoringPrograms
from sluice.render.alerts import alertmanager_text
from tests.live.pager import Pager, paging
from tests.rules.promtool import DECLARED
from tests.rules.test_alertmanager import call, labelled

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120
WAIT = "3s"


@pytest.fixture(scope="module")
def pager(programs: MonitoringPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pager]:
    configuration = yaml.safe_load(alertmanager_text(DECLARED.settings))
    for route in configuration["route"]["routes"]:
        route |= {"group_wait": WAIT, "group_interval": WAIT}
    file = tmp_path_factory.mktemp("pager") / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(configuration))
    with paging(programs, file, "127.0.0.1") as one:
        until("Alertmanager answers", lambda: call(one.alertmanager, "GET") is not None)
        yield one


def until(what: str, holds: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if holds():
                return
        except OSError:
            pass  # it does not listen yet
        assert time.monotonic() < ends, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.2)


def fires(pager: Pager, alert: str, severity: str, agent: str, *, over: bool = False) -> None:
    """Tell Alertmanager of an alert as Prometheus does."""
    said: dict[str, Any] = {
        "labels": labelled(alert, severity, agent=agent, environment="production"),
        "annotations": {
            "summary": f"{agent}: made",
            "description": "made",
            "runbook_url": f"https://git.example.com/runbooks/{alert}.md",
            "dashboard_url": "https://grafana.example.com/d/made",
        },
    }
    if over:
        said["endsAt"] = datetime.now(UTC).isoformat()
    call(pager.alertmanager, "POST", [said])


def held_back(pager: Pager, alert: str, agent: str) -> list[str]:
    """Return the alerts that keep one from being told."""
    found = call(pager.alertmanager, "GET")
    names = {one["fingerprint"]: one["labels"]["alertname"] for one in found}
    (status,) = [
        one["status"] for one in found if (one["labels"]["alertname"], one["labels"]["agent"]) == (alert, agent)
    ]
    return [names[source] for source in status["inhibitedBy"]]


def test_without_a_step_a_warning_is_told(pager: Pager) -> None:
    fires(pager, "SluiceWeightNotServed", "warning", "support")

    until("it is told", lambda: pager.told("support", "SluiceWeightNotServed"))


def test_in_a_planned_step_the_warnings_of_its_agent_wait_and_are_told_after_it(pager: Pager) -> None:
    fires(pager, "SluicePlannedStep", "none", "qa")
    fires(pager, "SluiceLatencyHigh", "warning", "qa")
    until("Alertmanager goes by the step", lambda: held_back(pager, "SluiceLatencyHigh", "qa") == ["SluicePlannedStep"])
    fires(pager, "SluiceWeightNotServed", "warning", "qa")
    fires(pager, "SluiceWeightNotServed", "warning", "legal")
    until("another agent's warning is told", lambda: pager.told("legal", "SluiceWeightNotServed"))
    # Its group is asked again after the same wait: by then the one that was there before has been asked, too.
    fires(pager, "SluiceLatencyHigh", "warning", "legal")
    until("and what comes after it", lambda: pager.told("legal", "SluiceLatencyHigh"))

    assert pager.told("qa", "SluiceWeightNotServed") == []
    assert "SluicePlannedStep" not in pager.alerts(), "a step tells nobody"

    ended = time.monotonic()
    fires(pager, "SluicePlannedStep", "none", "qa", over=True)
    until("it is told after the step", lambda: pager.told("qa", "SluiceWeightNotServed"))
    assert pager.told("qa", "SluiceWeightNotServed")[0] > ended


def test_in_a_planned_step_what_is_critical_pages(pager: Pager) -> None:
    fires(pager, "SluicePlannedStep", "none", "content")
    fires(pager, "SluiceErrorRateHigh", "critical", "content")

    until("somebody is woken", lambda: ("content", "SluiceErrorRateHigh") in pager.paged())
