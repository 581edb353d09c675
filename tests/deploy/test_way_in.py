from __future__ import annotations

from typing import Any

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.way_in import reasons_nobody_serves
from tests.deploy.api_server import ApiServer

NAMESPACE = "sluice-dev"
INGRESS = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses/gateway"
ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/gateway"


def route(*conditions: dict[str, Any]) -> dict[str, Any]:
    parent = {"name": "shared", "namespace": "gateways", "sectionName": "https"}
    status = {"parents": [{"parentRef": parent, "conditions": list(conditions)}]} if conditions else {}
    return {"metadata": {"generation": 2}, "spec": {"parentRefs": [parent]}, "status": status}


def accepted(status: str, reason: str, message: str = "", *, generation: int = 2) -> dict[str, Any]:
    said = {"type": "Accepted", "status": status, "reason": reason, "message": message}
    return {**said, "observedGeneration": generation}


def test_where_there_is_no_way_in_nothing_is_missing(access: ClusterAccess) -> None:
    assert reasons_nobody_serves(access, NAMESPACE) == []


def test_where_both_are_served_nothing_is_missing(api: ApiServer, access: ClusterAccess) -> None:
    api.put(INGRESS, {"spec": {}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
    api.put(ROUTE, route({"type": "ResolvedRefs", "status": "False"}, accepted("True", "Accepted")))

    assert reasons_nobody_serves(access, NAMESPACE) == []


@pytest.mark.parametrize(
    ("spec", "whose"),
    [({"ingressClassName": "nginx"}, "class nginx"), ({}, "the cluster's default class, as none is named")],
)
def test_an_ingress_without_an_address_names_its_class(
    api: ApiServer, access: ClusterAccess, spec: dict[str, str], whose: str
) -> None:
    api.put(INGRESS, {"spec": spec, "status": {"loadBalancer": {}}})

    (reason,) = reasons_nobody_serves(access, NAMESPACE)

    assert reason.startswith(f"ingress gateway: no controller has given it an address ({whose})")


@pytest.mark.parametrize("of_before", [(), (accepted("True", "Accepted", generation=1),)])
def test_a_route_that_nobody_has_looked_at_since_names_its_gateway(
    api: ApiServer, access: ClusterAccess, of_before: tuple[dict[str, Any], ...]
) -> None:
    api.put(ROUTE, route(*of_before))

    (reason,) = reasons_nobody_serves(access, NAMESPACE)

    assert reason.startswith(
        "route gateway: nobody has looked at it: is there a Gateway gateways/shared, listener https"
    )


@pytest.mark.parametrize(("message", "said"), [("", ""), ("no such listener", ": no such listener")])
def test_a_route_that_is_not_accepted_says_why(api: ApiServer, access: ClusterAccess, message: str, said: str) -> None:
    api.put(ROUTE, route(accepted("False", "NoMatchingParent", message)))

    assert reasons_nobody_serves(access, NAMESPACE) == [
        f"route gateway: Gateway gateways/shared, listener https, does not accept it: NoMatchingParent{said}"
    ]
