"""The Prometheus that an environment has of its own: what it scrapes, what it knows, who reaches it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.registry import EmbeddedPrometheus, Environment, ExternalPrometheus, load_environment
from sluice.render import KubernetesObject, Rendered, render
from sluice.render.alerts import rule_groups
from sluice.render.gateway import METRICS_PORT
from sluice.render.guard import PORT as GUARD_PORT
from sluice.rollout.guard.running import ROUND_EVERY_SECONDS

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def dev() -> Environment:
    return load_environment(PROJECT, "dev")


@pytest.fixture(scope="module")
def made(dev: Environment) -> Rendered:
    return render(dev.registry, dev.rollout, dev.settings)


def only(items: tuple[KubernetesObject, ...], kind: str, name: str = "prometheus") -> dict[str, Any]:
    (found,) = [item for item in items if item.kind == kind and item.name.startswith(name)]
    return found.body


def test_the_guard_finds_it_where_its_service_is(made: Rendered, dev: Environment) -> None:
    own = dev.settings.prometheus
    assert isinstance(own, EmbeddedPrometheus)
    service = only(made.prometheus, "Service", "prometheus")
    (port,) = service["spec"]["ports"]

    assert own.url == f"http://{service['metadata']['name']}:{port['port']}"
    (container,) = only(made.prometheus, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert port["targetPort"] in {port["name"] for port in container["ports"]}


def test_it_finds_the_pods_of_gateway_and_guard_by_dns_at_the_port_of_their_metrics(made: Rendered) -> None:
    jobs = yaml.safe_load(only(made.prometheus, "ConfigMap")["data"]["prometheus.yaml"])["scrape_configs"]
    asked = {one["names"][0]: one["port"] for job in jobs for one in job["dns_sd_configs"]}
    services = {
        f"{item.name}.{item.namespace}.svc": item.body["spec"] for item in made.prometheus if item.kind == "Service"
    }

    for deployment, metrics_port in (
        (only(made.gateway, "Deployment", "gateway"), METRICS_PORT),
        (only(made.guard, "Deployment", "sluice-guard"), GUARD_PORT),
    ):
        template = deployment["spec"]["template"]
        ((name, service),) = [
            (name, one)
            for name, one in services.items()
            if one["selector"].items() <= template["metadata"]["labels"].items()
        ]
        assert service["clusterIP"] == "None", "DNS names each pod"
        assert service["publishNotReadyAddresses"] is True, "one that is not ready says why in its metrics"
        assert asked.pop(name) == metrics_port
        named = {one["name"]: one["containerPort"] for one in template["spec"]["containers"][0]["ports"]}
        assert named["metrics"] == metrics_port
    assert not asked


def test_an_operators_prometheus_scrapes_as_often_as_the_guard_looks_and_so_does_ours(made: Rendered) -> None:
    ours = yaml.safe_load(only(made.prometheus, "ConfigMap")["data"]["prometheus.yaml"])["global"]["scrape_interval"]
    production = load_environment(PROJECT, "production")
    theirs = only(render(production.registry, production.rollout, production.settings).alerts, "PodMonitor", "sluice")

    assert {one["interval"] for one in theirs["spec"]["podMetricsEndpoints"]} == {ours}
    assert ours == f"{ROUND_EVERY_SECONDS:g}s"


def test_without_a_guard_it_looks_for_none(dev: Environment) -> None:
    made = render(dev.registry, dev.rollout, replace(dev.settings, guard=None))
    jobs = yaml.safe_load(only(made.prometheus, "ConfigMap")["data"]["prometheus.yaml"])["scrape_configs"]

    assert [job["job_name"] for job in jobs] == ["gateway"]


def test_its_rules_are_those_of_the_operators_object(made: Rendered, dev: Environment) -> None:
    data = only(made.prometheus, "ConfigMap")["data"]

    assert yaml.safe_load(data["rules.yaml"])["groups"] == rule_groups(dev.settings)
    assert yaml.safe_load(data["prometheus.yaml"])["rule_files"] == ["/etc/prometheus/rules.yaml"]


def test_other_rules_start_a_new_pod(made: Rendered, dev: Environment) -> None:
    other = replace(dev.settings, monitoring=replace(dev.settings.monitoring, runbooks="https://elsewhere.example.com"))
    again = render(dev.registry, dev.rollout, other)

    def mounted(of: Rendered) -> str:
        volumes = only(of.prometheus, "Deployment")["spec"]["template"]["spec"]["volumes"]
        return str(next(volume for volume in volumes if volume["name"] == "config")["configMap"]["name"])

    assert mounted(made) == only(made.prometheus, "ConfigMap")["metadata"]["name"]
    assert mounted(made) != mounted(again)


def test_it_has_no_right_at_the_api_server(made: Rendered) -> None:
    pod = only(made.prometheus, "Deployment")["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod


def test_gateway_and_guard_let_it_in_and_it_lets_the_guard_in(made: Rendered) -> None:
    policies = {item.name: item.body["spec"] for item in made.network}

    def admitted(name: str, port: int) -> list[dict[str, Any]]:
        return [
            peer["podSelector"]["matchLabels"]
            for rule in policies[name]["ingress"]
            if port in {one["port"] for one in rule["ports"]}
            for peer in rule.get("from", [])
            if "podSelector" in peer
        ]

    pods = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "sluice"}
    assert admitted("gateway", METRICS_PORT) == [pods]
    assert admitted("sluice-guard", GUARD_PORT) == [pods]
    assert admitted("prometheus", 9090) == [{**pods, "app.kubernetes.io/name": "sluice-guard"}]
    reached = [rule["to"][0].get("podSelector", {}).get("matchLabels") for rule in policies["sluice-guard"]["egress"]]
    assert pods in reached


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("http://10.1.2.3:9093", {"ipBlock": {"cidr": "10.1.2.3/32"}}),
        ("http://alertmanager-operated.monitoring.svc:9093", None),
    ],
)
def test_it_tells_the_alertmanager_of_the_settings_and_may_reach_it(
    dev: Environment, address: str, peer: dict[str, Any] | None
) -> None:
    own = dev.settings.prometheus
    assert isinstance(own, EmbeddedPrometheus)
    told = render(dev.registry, dev.rollout, replace(dev.settings, prometheus=replace(own, alertmanager=address)))
    alerting = yaml.safe_load(only(told.prometheus, "ConfigMap")["data"]["prometheus.yaml"])["alerting"]
    (policy,) = [item.body["spec"] for item in told.network if item.name == "prometheus"]

    (alertmanager,) = alerting["alertmanagers"]
    assert alertmanager == {"scheme": "http", "static_configs": [{"targets": [address.removeprefix("http://")]}]}
    (rule,) = [rule for rule in policy["egress"] if rule["ports"] == [{"port": 9093, "protocol": "TCP"}]]
    assert rule["to"] == [peer] if peer else "monitoring" in str(rule["to"])


def test_nobody_is_told_unless_the_settings_say_so(made: Rendered) -> None:
    assert "alerting" not in yaml.safe_load(only(made.prometheus, "ConfigMap")["data"]["prometheus.yaml"])


def test_an_environment_whose_prometheus_others_run_gets_none(dev: Environment) -> None:
    elsewhere = replace(dev.settings, prometheus=ExternalPrometheus("http://prometheus.example.com:9090", ""))

    for settings in (elsewhere, replace(dev.settings, prometheus=None, guard=None)):
        made = render(dev.registry, dev.rollout, settings)
        assert made.prometheus == ()
        assert not [item for item in made.objects() if item.name.startswith("prometheus")]
