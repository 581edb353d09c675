"""The rules as a whole: others' judges take them, every part of an alert is there, and their number never grows."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from sluice.local.monitoring_programs import MonitoringPrograms
from sluice.registry import environments, load_environment
from sluice.render.alerts import ALERTS, RECORDINGS, Severity, rule_groups, rules_text
from sluice.render.alerts.expressions import within
from sluice.render.dashboards import queries
from tests.rules.cases import CASES
from tests.rules.promtool import DECLARED, GROUPS, METRIC, NAMESPACE, PROJECT, metrics_of, rules_for

RULES = [rule for group in GROUPS for rule in group["rules"]]
NAMED = {rule["alert"]: rule for rule in RULES if "alert" in rule}
_LISTED = re.compile(r"^\| `([a-z_0-9]+)` \|", re.MULTILINE)
_ENDINGS = re.compile(r"_(bucket|sum|count)$")


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_promtool_finds_nothing_to_say(environment: str, programs: MonitoringPrograms, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(rules_text(load_environment(PROJECT, environment).settings))

    ran = subprocess.run(
        [programs.promtool, "check", "rules", "--lint=all", "--lint-fatal", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(RULES)} rules found" in ran.stdout


def test_every_alert_is_tried_in_all_four_ways() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}
    for case in CASES.values():
        assert case.firing, case.alert
        assert case.silent, case.alert
        assert case.low_traffic, case.alert
        assert metrics_of(rules_for(case.alert)), f"{case.alert}: no series could go missing"


def test_every_alert_says_all_that_people_need() -> None:
    said = yaml.safe_load((Path(__file__).parent / "texts.yaml").read_text())
    for rule in NAMED.values():
        assert rule["alert"].startswith("Sluice")
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}
        assert {"summary", "description", "runbook_url", "dashboard_url"} == set(rule["annotations"])
        assert said[rule["alert"]]["exp_labels"]["agent"] in {"qa", "all"}


def test_nothing_but_a_planned_step_is_told_to_nobody() -> None:
    assert [alert.name for alert in ALERTS if alert.severity is Severity.NONE] == ["SluicePlannedStep"]


def test_every_alert_leads_to_a_page_of_its_own_and_every_page_has_an_alert() -> None:
    addressed = {rule["annotations"]["runbook_url"] for rule in NAMED.values()}
    base = DECLARED.settings.monitoring.runbooks
    pages = {file.name for file in (PROJECT / "docs" / "runbooks").glob("Sluice*.md")}

    assert addressed == {f"{base}/{page}" for page in pages}
    assert pages == {f"{name}.md" for name in NAMED}


def test_the_number_of_rules_does_not_depend_on_the_agents() -> None:
    text = yaml.safe_dump(GROUPS)

    assert not [agent for agent in DECLARED.registry.agents if re.search(rf"['\"]{agent}['\"]", text)]


def test_every_metric_that_a_rule_reads_is_on_the_page_of_metrics() -> None:
    listed = set(_LISTED.findall((PROJECT / "docs" / "metrics.md").read_text()))
    read = {_ENDINGS.sub("", name) for rule in RULES for name in METRIC.findall(rule["expr"])}

    assert read <= listed, f"not on docs/metrics.md: {read - listed}"


def test_every_series_that_a_rule_reads_is_of_its_namespace() -> None:
    bare = re.compile(r"\b(sluice[_:][a-zA-Z0-9_:]+)(?!\{namespace=)(?![a-zA-Z0-9_:])")

    assert [rule["expr"] for rule in RULES if bare.search(rule["expr"])] == []


def test_a_selector_without_labels_is_put_into_the_namespace_too() -> None:
    assert (
        within("a", 'sluice_x + sluice:y{b="c"}[5m]') == 'sluice_x{namespace="a"} + sluice:y{namespace="a", b="c"}[5m]'
    )


def test_no_recorded_series_is_computed_for_nobody() -> None:
    """Read by a rule, or by a panel of the dashboards."""
    asked = [rule["expr"] for rule in RULES] + [query.expression for query in queries(NAMESPACE, "qa")]
    read = {name for expression in asked for name in re.findall(r"sluice:[a-zA-Z0-9_:]+", expression)}

    assert {recording.name for recording in RECORDINGS} <= read


def test_the_objects_stay_far_below_what_etcd_takes() -> None:
    """prometheus-operator refuses rules of more than half a MiB in one object."""
    assert len(rules_text(DECLARED.settings).encode()) < 2**19 / 4


def test_two_environments_in_one_prometheus_do_not_meet() -> None:
    other = rule_groups(dataclasses.replace(DECLARED.settings, environment="other", namespace="sluice-other"))

    assert {group["name"] for group in other}.isdisjoint({group["name"] for group in GROUPS})
    assert "sluice-production" not in yaml.safe_dump(other)
