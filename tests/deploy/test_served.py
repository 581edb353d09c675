"""When `sluice up` may ask: every ready pod serves the wanted weights, and the Service leads to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.served import wait_until_served
from sluice.local.folders import PROJECT
from sluice.registry import Environment, load_environment
from tests.deploy.api_server import ApiServer

NAMESPACE = "/api/v1/namespaces/sluice-dev"
PODS = f"{NAMESPACE}/pods"
SERVICE = f"{NAMESPACE}/services/gateway:http/proxy/readyz"


@pytest.fixture
def dev() -> Environment:
    return load_environment(PROJECT, "dev")


def pod(name: str, *, ready: bool = True) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready)}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def page(weights: Mapping[str, int]) -> str:
    return "\n".join(f'sluice_rollout_weight{{agent="{a}",kind="served"}} {w}' for a, w in weights.items())


@pytest.fixture
def wanted(api: ApiServer, dev: Environment) -> dict[str, int]:
    """What git wants; the API server holds one ready pod that serves it, and a Service that leads to it."""
    weights = {agent: dev.rollout.wanted_weight_percent(agent) for agent in dev.registry.agents}
    api.put(PODS, {"items": [pod("gateway-1")]})
    api.put(f"{PODS}/gateway-1:9090/proxy/metrics", page(weights))
    api.put(SERVICE, "ready")
    return weights


def is_served(access: ClusterAccess, declared: Environment) -> bool:
    return wait_until_served(access, declared, patience_seconds=0)


def test_a_ready_pod_with_the_wanted_weights_behind_the_service_serves(
    wanted: dict[str, int], access: ClusterAccess, dev: Environment
) -> None:
    assert is_served(access, dev)


def test_what_an_override_forbids_is_not_waited_for(
    wanted: dict[str, int], api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    path = f"{PODS}/gateway-1:9090/proxy/metrics"
    api.put(path, page(wanted | {"qa": 0}))
    assert not is_served(access, dev), "nothing says that it may not have what git wants"

    api.put(path, page(wanted | {"qa": 0}) + '\nsluice_rollout_weight{agent="qa",kind="allowed"} 0')
    assert is_served(access, dev)


def test_a_pod_that_is_not_ready_serves_nobody_whatever_its_page_says(
    wanted: dict[str, int], api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    api.put(PODS, {"items": [pod("gateway-1", ready=False)]})

    assert not is_served(access, dev)


def test_a_pod_that_the_service_does_not_lead_to_yet_serves_nobody(
    wanted: dict[str, int], api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    api.put(SERVICE, 'no endpoints available for service "gateway:http"', status=503)

    assert not is_served(access, dev)


def test_every_ready_pod_has_to_serve_the_wanted_weights(
    wanted: dict[str, int], api: ApiServer, access: ClusterAccess, dev: Environment
) -> None:
    api.put(PODS, {"items": [pod("gateway-1"), pod("gateway-2")]})
    api.put(f"{PODS}/gateway-2:9090/proxy/metrics", page(wanted | {"qa": wanted["qa"] + 25}))

    assert not is_served(access, dev)
