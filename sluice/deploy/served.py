"""Whether the gateway's pods serve the weights that git wants: flags reach a pod a moment after they were changed."""

from __future__ import annotations

import re
import time

from sluice.deploy.cluster_access import ClusterAccess, ClusterUnreachable
from sluice.registry import Environment

_LOOK_EVERY_SECONDS = 0.2
_SERVED = re.compile(r'^sluice_rollout_weight\{agent="([^"]+)",kind="served"\} ([0-9.]+)$', re.MULTILINE)


def wait_until_served(access: ClusterAccess, declared: Environment, *, patience_seconds: float) -> bool:
    """Wait until every ready pod of the gateway says in its metrics that it serves the wanted weights.

    Returns whether they did in time. Where pods cannot be asked, they have not.
    """
    wanted = {agent: declared.rollout.wanted_weight_percent(agent) for agent in declared.registry.agents}
    until = time.monotonic() + patience_seconds
    while True:
        try:
            served = _served(access, declared.settings.namespace)
        except ClusterUnreachable:
            served = []
        if served and all(weights == wanted for weights in served):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_EVERY_SECONDS)


def _served(access: ClusterAccess, namespace: str) -> list[dict[str, float]]:
    path = f"/api/v1/namespaces/{namespace}/pods"
    pods = access.get(path, labelSelector="app.kubernetes.io/name=gateway,app.kubernetes.io/part-of=sluice")["items"]
    running = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    texts = [access.text(f"{path}/{name}:9090/proxy/metrics") for name in running]
    return [{agent: float(weight) for agent, weight in _SERVED.findall(text)} for text in texts]
