"""What a gateway keeps for people, asked of one of its pods: outputs that wait for review, queries that failed.

Only the pods may reach the Redis that holds them, so a program is run in a pod through the API server: nothing is
opened for it, and the right to look is the right to run commands in the environment's pods (`pods/exec`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sluice.deploy.cluster_access import ClusterAccess, Ran
from sluice.deploy.pods import gateway_pods, is_ready, name_of
from sluice.errors import AnswerIsNo, SluiceError

_PATIENCE_SECONDS = 20.0


class NoGateway(SluiceError):
    """No pod of the gateway is ready."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f"no gateway pod is ready in namespace {namespace}; `sluice up` starts them")


class GatewaySaysNo(AnswerIsNo):
    """What was asked for is not there, or is decided already."""


class GatewayCouldNot(SluiceError):
    """The program in the pod could not do it."""

    def __init__(self, pod: str, ran: Ran) -> None:
        said = (ran.errors.strip().splitlines() or [f"it ended with {ran.exit_code}"])[-1]
        super().__init__(f"pod {pod}: {said}")


def kept(cluster: ClusterAccess, namespace: str, arguments: Sequence[str]) -> Any:
    """Ask `sluice.gateway.kept_tool` in a gateway pod, and return the JSON value that it prints.

    Raises `NoGateway`, `GatewaySaysNo`, `GatewayCouldNot` or `ClusterUnreachable`.
    """
    pod = _ready_pod(cluster, namespace)
    command = ["python3", "-m", "sluice.gateway.kept_tool", *arguments]
    ran = cluster.run_in_pod(namespace, pod, command, timeout_seconds=_PATIENCE_SECONDS)
    if ran.exit_code == AnswerIsNo.exit_code:
        raise GatewaySaysNo(ran.errors.strip())
    try:
        if ran.exit_code == 0:
            return json.loads(ran.output)
    except ValueError:
        pass
    raise GatewayCouldNot(pod, ran)


def ready_pods(cluster: ClusterAccess, namespace: str) -> list[str]:
    """Return the names of the gateway's pods that are ready and are not ending. Raises `ClusterUnreachable`."""
    return [name_of(pod) for pod in gateway_pods(cluster, namespace) if is_ready(pod)]


def _ready_pod(cluster: ClusterAccess, namespace: str) -> str:
    ready = ready_pods(cluster, namespace)
    if not ready:
        raise NoGateway(namespace)
    return ready[0]
