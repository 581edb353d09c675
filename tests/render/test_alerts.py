"""Where rules and their like are rendered, and that plain files say the same as the objects."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.cli.main import run
from sluice.registry import Monitoring, Settings, load_environment
from sluice.render import KubernetesObject
from sluice.render.alerts import alerts

PROJECT = Path(__file__).parent.parent.parent


def settings(**monitoring: Any) -> Settings:
    declared = load_environment(PROJECT, "production").settings
    return dataclasses.replace(declared, monitoring=Monitoring(**monitoring))


def by_kind(of: Settings) -> dict[str, KubernetesObject]:
    return {item.kind: item for item in alerts(of)}


def test_a_cluster_without_the_operator_gets_none_of_its_kinds() -> None:
    assert alerts(settings()) == ()
    assert alerts(load_environment(PROJECT, "dev").settings) == (), "the local cluster does not know them"


def test_the_operators_prometheus_finds_monitor_and_rules_by_the_labels_of_the_settings() -> None:
    made = by_kind(settings(by_operator=True, labels={"release": "prometheus"}))

    assert set(made) == {"PodMonitor", "PrometheusRule", "ConfigMap"}
    for kind in ("PodMonitor", "PrometheusRule"):
        assert made[kind].body["metadata"]["labels"]["release"] == "prometheus"


def test_the_monitor_scrapes_the_port_that_gateway_pods_have() -> None:
    monitor = by_kind(settings(by_operator=True))["PodMonitor"].body["spec"]
    deployment = yaml.safe_load((PROJECT / "manifests" / "production" / "deployment-gateway.yaml").read_text())
    pod = deployment["spec"]["template"]

    for wanted in monitor["selector"]["matchExpressions"]:
        assert wanted["operator"] == "In"
        assert pod["metadata"]["labels"][wanted["key"]] in wanted["values"]
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports


def test_alerts_lead_to_the_addresses_of_the_settings() -> None:
    of = settings(by_operator=True, runbooks="https://wiki.example.com/r", dashboards="https://g.example.com")
    groups = by_kind(of)["PrometheusRule"].body["spec"]["groups"]
    annotations = [rule["annotations"] for group in groups for rule in group["rules"] if "alert" in rule]

    assert annotations
    for said in annotations:
        assert said["runbook_url"].startswith("https://wiki.example.com/r/Sluice")
        assert said["dashboard_url"].startswith("https://g.example.com/d/sluice-")


def test_plain_files_say_what_the_objects_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["render", "production", "--out", "out", "--rules", "r.yaml", "--alertmanager", "a.yaml"]) == 0

    rule = yaml.safe_load(Path("out/prometheusrule-sluice.yaml").read_text())
    assert yaml.safe_load(Path("r.yaml").read_text()) == rule["spec"]
    told = yaml.safe_load(Path("out/configmap-alertmanager.yaml").read_text())
    assert Path("a.yaml").read_text() == told["data"]["alertmanager.yaml"]
