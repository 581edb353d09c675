"""Whether the gateway's pods serve the weights that git wants, as far as an override lets them.

Flags reach a pod a moment after they were changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.deploy.pods import gateway_pods, is_ready, name_of
from sluice.registry import Environment
from sluice.rollout.pod_page import Page, pages

_LOOK_EVERY_SECONDS = 0.2


def wait_until_served(access: ClusterAccess, declared: Environment, *, patience_seconds: float) -> bool:
    """Wait until every ready pod of the gateway says in its metrics that it serves the wanted weights.

    Or what an override allows of them: more is not waited for, since no update lifts it. And until the Service leads to
    them: the API server hears a moment later than the pod that it is ready. Returns whether all that came in time.
    Where pods cannot be asked, it has not.
    """
    namespace = declared.settings.namespace
    wanted = {agent: declared.rollout.wanted_weight_percent(agent) for agent in declared.registry.agents}
    until = time.monotonic() + patience_seconds
    while True:
        try:
            found = _pages(access, namespace)
        except ClusterUnreachable:
            found = []
        if found and all(page and _serves(page, wanted) for page in found) and _is_led_to(access, namespace):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_EVERY_SECONDS)


def _pages(access: ClusterAccess, namespace: str) -> list[Page | None]:
    """Return each ready pod's page, None of a pod that does not answer."""
    ready = [name_of(pod) for pod in gateway_pods(access, namespace) if is_ready(pod)]
    return list(pages(access, namespace, ready).values())


def _serves(page: Page, wanted: Mapping[str, int]) -> bool:
    allowed, served = _weights(page, "allowed"), _weights(page, "served")
    return served == {agent: min(weight, allowed.get(agent, 100)) for agent, weight in wanted.items()}


def _weights(page: Page, kind: str) -> dict[str, float]:
    return {
        dict(labels)["agent"]: weight for labels, weight in page.labelled("sluice_rollout_weight", kind=kind).items()
    }


def _is_led_to(access: ClusterAccess, namespace: str) -> bool:
    try:
        return access.ask("GET", f"/api/v1/namespaces/{namespace}/services/gateway:http/proxy/readyz").status == 200
    except ClusterUnreachable:
        return False
