"""Who is told: amtool reads the configuration, and Debian's own Alertmanager routes and holds back real alerts."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.gateway.programs import free_port, running
from sluice.local.monitoring_programs import MonitoringPrograms
from sluice.render.alerts import alertmanager_text
from tests.rules.alertmanager import command, root_of_its_own
from tests.rules.promtool import DECLARED

pytestmark = pytest.mark.slow

NAMESPACE = DECLARED.settings.namespace
CONFIGURATION: dict[str, Any] = yaml.safe_load(alertmanager_text(DECLARED.settings))

ROUTES = [
    ("SluiceErrorRateHigh", "critical", "on-call"),
    ("SluiceOverrideActive", "critical", "on-call"),
    ("SluiceQualityDrop", "warning", "team"),
    ("SluicePlannedStep", "none", "nobody"),
    ("KubePodCrashLooping", "critical", "nobody"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yaml"
    path.write_text(alertmanager_text(DECLARED.settings))
    return path


def test_amtool_takes_the_configuration(programs: MonitoringPrograms, file: Path) -> None:
    ran = subprocess.run([programs.amtool, "check-config", file], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("alert", "severity", "receiver"), ROUTES)
def test_an_alert_goes_to(alert: str, severity: str, receiver: str, programs: MonitoringPrograms, file: Path) -> None:
    labels = [f"alertname={alert}", f"severity={severity}", "agent=qa", f"namespace={NAMESPACE}"]

    ran = subprocess.run(
        [
            programs.amtool,
            "config",
            "routes",
            "test",
            f"--config.file={file}",
            f"--verify.receivers={receiver}",
            *labels,
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout.strip()) == (0, receiver), ran.stderr


def test_an_agent_is_one_notification() -> None:
    assert CONFIGURATION["route"]["group_by"] == ["namespace", "agent"]
    assert all("group_by" not in route for route in CONFIGURATION["route"]["routes"])


def test_no_key_stands_in_the_configuration() -> None:
    on_call, team = CONFIGURATION["receivers"][1:]

    assert {"routing_key_file", "api_url_file"} <= {*on_call["pagerduty_configs"][0], *team["slack_configs"][0]}
    assert not {"routing_key", "service_key", "api_url"} & {*on_call["pagerduty_configs"][0], *team["slack_configs"][0]}


def test_what_is_equal_must_be_there_on_both_sides() -> None:
    """Alertmanager takes a label that both alerts lack as equal."""
    for inhibition in CONFIGURATION["inhibit_rules"]:
        for label in inhibition["equal"]:
            assert f'{label}=~".+"' in inhibition["source_matchers"]
            assert f'{label}=~".+"' in inhibition["target_matchers"]


@pytest.fixture(scope="module")
def alertmanager(programs: MonitoringPrograms, file: Path) -> Iterator[str]:
    root = root_of_its_own(programs, file)
    port = free_port()
    with running(
        command(root, f"127.0.0.1:{port}"), port, root.parent / "alertmanager.log", path="/-/ready"
    ) as program:
        yield program.url


def labelled(alert: str, severity: str, **labels: str) -> dict[str, str]:
    return {"alertname": alert, "severity": severity, "namespace": NAMESPACE, **labels}


HELD_BACK = [
    (
        "a warning of an agent that somebody is paged for",
        labelled("SluiceErrorRateHigh", "critical", agent="a1"),
        labelled("SluiceLatencyHigh", "warning", agent="a1"),
        True,
    ),
    (
        "a warning of another agent",
        labelled("SluiceErrorRateHigh", "critical", agent="a2"),
        labelled("SluiceLatencyHigh", "warning", agent="a3"),
        False,
    ),
    (
        "quality of an agent that was sent back",
        labelled("SluiceOverrideActive", "critical", agent="a4"),
        labelled("SluiceQualityDropCritical", "critical", agent="a4"),
        True,
    ),
    (
        "errors of an agent that was sent back",
        labelled("SluiceOverrideActive", "critical", agent="a5"),
        labelled("SluiceErrorRateHigh", "critical", agent="a5"),
        False,
    ),
    (
        "a warning in a step that was planned",
        labelled("SluicePlannedStep", "none", agent="a6"),
        labelled("SluiceWeightNotServed", "warning", agent="a6"),
        True,
    ),
    (
        "what pages, in a step that was planned",
        labelled("SluicePlannedStep", "none", agent="a7"),
        labelled("SluiceErrorRateHigh", "critical", agent="a7"),
        False,
    ),
    (
        "an agent without traffic where there is no gateway",
        labelled("SluiceGatewayAbsent", "critical", agent="all"),
        labelled("SluiceNoTraffic", "warning", agent="a8"),
        True,
    ),
    (
        "a ticket about all agents, for as long as the month's cap is spent",
        labelled("SluiceMonthCapReached", "critical", agent="all"),
        labelled("SluiceKeyOld", "warning", agent="all", key="mistral-api-key"),
        False,
    ),
    (
        "alerts that name no agent",
        {"alertname": "SluiceOverrideActive", "severity": "critical", "namespace": NAMESPACE},
        {"alertname": "SluiceQualityDrop", "severity": "warning", "namespace": NAMESPACE, "case": "no agent"},
        False,
    ),
]


@pytest.mark.parametrize(("what", "source", "target", "held_back"), HELD_BACK, ids=[case[0] for case in HELD_BACK])
def test_alertmanager_holds_back(
    what: str, source: dict[str, str], target: dict[str, str], held_back: bool, alertmanager: str
) -> None:
    call(alertmanager, "POST", [{"labels": source}, {"labels": target}])

    found: list[dict[str, Any]] = []
    for _ in range(30):
        found = [alert for alert in call(alertmanager, "GET") if alert["labels"] == target]
        if found and found[0]["status"]["state"] != "unprocessed":
            break
        time.sleep(1)

    assert (found[0]["status"]["state"] == "suppressed") is held_back


def call(address: str, method: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{address}/api/v2/alerts",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None
