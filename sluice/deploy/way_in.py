"""Why nobody serves an environment's way in from outside, in the words of who should.

Pulumi waits until an Ingress has an address and a route is accepted, and says no more than that it waited in vain.
"""

from __future__ import annotations

from typing import Any

from sluice.deploy.cluster_access import ClusterAccess, NotAllowed
from sluice.render.gateway import NAME
from sluice.render.http_route import API_VERSION


def reasons_nobody_serves(cluster: ClusterAccess, namespace: str) -> list[str]:
    """Return a sentence for the Ingress and one for the route, where it is there and nobody serves it.

    Of what the person may not see nothing is said. Raises `ClusterUnreachable`.
    """
    ingress = _find(cluster, f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{NAME}")
    route = _find(cluster, f"/apis/{API_VERSION}/namespaces/{namespace}/httproutes/{NAME}")
    found = [_of_ingress(ingress) if ingress else "", _of_route(route) if route else ""]
    return [reason for reason in found if reason]


def _find(cluster: ClusterAccess, path: str) -> dict[str, Any] | None:
    try:
        return cluster.find(path)
    except NotAllowed:
        return None


def _of_ingress(ingress: dict[str, Any]) -> str:
    if ingress.get("status", {}).get("loadBalancer", {}).get("ingress"):
        return ""
    named = ingress["spec"].get("ingressClassName")
    whose = f"class {named}" if named else "the cluster's default class, as none is named"
    return (
        f"ingress {NAME}: no controller has given it an address ({whose}): there is none of this class, or it is not "
        "set to say where it can be reached"
    )


def _of_route(route: dict[str, Any]) -> str:
    asked = route["spec"]["parentRefs"][0]
    gateway = f"Gateway {asked['namespace']}/{asked['name']}, listener {asked['sectionName']}"
    said = [
        one
        for parent in route.get("status", {}).get("parents", [])
        for one in parent["conditions"]
        if one["type"] == "Accepted" and one.get("observedGeneration") == route["metadata"]["generation"]
    ]
    if not said:
        return f"route {NAME}: nobody has looked at it: is there a {gateway}, and a controller of its class?"
    if said[0]["status"] == "True":
        return ""
    why = ": ".join(filter(None, (said[0]["reason"], said[0].get("message", ""))))
    return f"route {NAME}: {gateway}, does not accept it: {why}"
