"""What the network policies let through, read by the rules of Kubernetes; no network here enforces them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from sluice.registry import ExternalCache, Ingress, Network, Provider, Route, Settings
from sluice.render import Rendered, render
from tests.render.made_environment import REGISTRY, SETTINGS, only, rollout

PLAIN = replace(SETTINGS, stub_provider=None, cache=None)


def policy(settings: Settings, name: str = "gateway", registry: Any = REGISTRY) -> dict[str, Any]:
    spec: dict[str, Any] = only(render(registry, rollout(), settings), "NetworkPolicy", name).body["spec"]
    return spec


def policies(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {item.name: item.body["spec"] for item in rendered.objects() if item.kind == "NetworkPolicy"}


def lets_out(spec: dict[str, Any], address: str, port: int) -> bool:
    """Whether a pod may open a connection to an address outside of the cluster's pods."""
    return any(
        port in [one["port"] for one in rule["ports"] if one["protocol"] == "TCP"]
        and ("to" not in rule or any(_holds(peer["ipBlock"], address) for peer in rule["to"] if "ipBlock" in peer))
        for rule in spec["egress"]
    )


def _holds(block: dict[str, Any], address: str) -> bool:
    asked = ip_address(address)
    without = any(asked in ip_network(one) for one in block.get("except", []))
    return asked in ip_network(block["cidr"]) and not without


def namespaces_let_in(spec: dict[str, Any], port: int) -> list[str]:
    found = []
    for rule in spec["ingress"]:
        if port in [one["port"] for one in rule["ports"]]:
            for peer in rule.get("from", [{"namespaceSelector": {"matchExpressions": [{"values": ["*"]}]}}]):
                found += peer["namespaceSelector"]["matchExpressions"][0]["values"]
    return found


def test_what_no_policy_names_does_not_pass_in_either_direction() -> None:
    spec = policy(SETTINGS, "default-deny")

    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}


def test_every_part_of_an_environment_has_a_policy_of_its_own() -> None:
    rendered = render(REGISTRY, rollout(), SETTINGS)
    deployments = [item.name for item in rendered.objects() if item.kind == "Deployment"]

    assert sorted(policies(rendered)) == sorted(["default-deny", *deployments])
    for spec in policies(rendered).values():
        assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_callers_come_from_the_namespaces_that_are_named_and_monitoring_reads_metrics_alone() -> None:
    spec = policy(replace(PLAIN, network=Network(callers_from=("halo", "shop"), metrics_from=("watching",))))

    assert namespaces_let_in(spec, 8080) == ["halo", "shop"]
    assert namespaces_let_in(spec, 9090) == ["watching"]


def test_where_nobody_is_named_nobody_calls() -> None:
    spec = policy(replace(PLAIN, network=Network(metrics_from=())))

    assert spec["ingress"] == []


def test_the_ingress_controller_may_call_the_gateway() -> None:
    own = Ingress("llm.example.com", "gateway-tls", controller_namespace="ingress-nginx")

    spec = policy(replace(PLAIN, ingress=own, network=Network(callers_from=("halo",))))

    assert namespaces_let_in(spec, 8080) == ["halo", "ingress-nginx"]


@pytest.mark.parametrize(("proxies", "expected"), [(None, "gateways"), ("envoy", "envoy")])
def test_the_pods_that_carry_a_routes_traffic_may_call_the_gateway(proxies: str | None, expected: str) -> None:
    own = Route("llm.example.com", "shared", "gateways", "https", proxies)

    spec = policy(replace(PLAIN, route=own, network=Network(callers_from=("halo",))))

    assert namespaces_let_in(spec, 8080) == ["halo", expected]
    assert expected not in namespaces_let_in(spec, 9090)


def test_a_node_port_is_open_to_everybody_and_the_metrics_are_not() -> None:
    spec = policy(replace(PLAIN, gateway=replace(PLAIN.gateway, node_port=30080)))

    assert namespaces_let_in(spec, 8080) == ["*"]
    assert namespaces_let_in(spec, 9090) == ["monitoring"]


@pytest.mark.parametrize(
    ("address", "port", "passes"),
    [
        ("203.0.113.7", 443, True),
        ("203.0.113.7", 80, False),
        ("2001:db8::7", 443, True),
        ("169.254.169.254", 443, False),
        ("169.254.169.254", 80, False),
        ("fd00::7", 443, False),
        ("10.0.0.1", 6443, True),
        ("10.0.0.1", 8443, False),
        ("100.64.0.1", 443, False),
    ],
)
def test_the_gateway_gets_out_to_public_providers_and_the_api_server_alone(
    address: str, port: int, passes: bool
) -> None:
    assert lets_out(policy(PLAIN), address, port) is passes


def test_an_api_server_that_is_named_closes_every_other_private_address() -> None:
    spec = policy(replace(PLAIN, network=Network(api_server=("10.0.0.1/32",))))

    assert lets_out(spec, "10.0.0.1", 443)
    assert not lets_out(spec, "10.0.0.2", 443)


def test_where_every_provider_is_in_the_cluster_nothing_public_is_reached() -> None:
    addresses = {"mistral": "http://stub-provider:8080/mistral/v1"}
    spec = policy(replace(SETTINGS, provider_addresses=addresses))

    assert not lets_out(spec, "203.0.113.7", 443)
    assert {"to": [{"podSelector": {"matchLabels": _labels("stub-provider")}}], "ports": [_tcp(8080)]} in spec["egress"]


def test_a_provider_in_another_namespace_is_reached_there() -> None:
    registry = replace(REGISTRY, providers={"own": Provider("own", "http://llm.models.svc:9000/v1", "key", 5)})
    spec = policy(PLAIN, registry=registry)

    (rule,) = [rule for rule in spec["egress"] if rule["ports"] == [_tcp(9000)]]
    assert rule["to"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["models"]


def test_only_the_gateway_reaches_the_embedded_cache_which_reaches_nobody() -> None:
    cache, gateway = policy(SETTINGS, "cache"), policy(SETTINGS)

    assert cache["ingress"] == [{"from": [{"podSelector": {"matchLabels": _labels("gateway")}}], "ports": [_tcp(6379)]}]
    assert cache["egress"] == []
    assert {"to": [{"podSelector": {"matchLabels": _labels("cache")}}], "ports": [_tcp(6379)]} in gateway["egress"]


def test_a_redis_of_others_is_reached_at_its_port_and_in_its_range() -> None:
    settings = replace(PLAIN, cache=ExternalCache("rediss://redis.example.com:6380"))
    ranged = replace(settings, network=Network(cache=("10.1.2.0/24",)))

    assert lets_out(policy(settings), "203.0.113.7", 6380)
    assert lets_out(policy(ranged), "10.1.2.3", 6380)
    assert not lets_out(policy(ranged), "203.0.113.7", 6380)
    assert not lets_out(policy(PLAIN), "10.1.2.3", 6380)


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "sluice"}


def _tcp(port: int) -> dict[str, Any]:
    return {"port": port, "protocol": "TCP"}
