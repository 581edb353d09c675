"""Why the pods of a namespace do not start, in the cluster's own words.

Pulumi reports that it waited in vain; what an engineer needs is the reason of the container: the image that is not
there, the last lines before the crash, the probe that fails, the node that has no room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.pods import Pod, conditions, is_ready, pods_of

_LOG_LINES = 8
_CRASHES = 2
_HOPELESS = ("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
_TOLD_TO_END = (0, 137, 143)
"""Exit codes of a container that was stopped and did not fall: its own end at SIGTERM, SIGKILL's and SIGTERM's."""


def is_unscheduled(pod: Pod) -> bool:
    """Whether no node takes the pod now."""
    return _unscheduled(pod) is not None


def cannot_start(pod: Pod) -> bool:
    """Whether waiting longer is of no use: an image that was refused twice, a container that crashed twice."""
    return any(
        container["state"].get("waiting", {}).get("reason") in _HOPELESS or container["restartCount"] >= _CRASHES
        for container in pod["status"].get("containerStatuses", [])
        if not container["ready"]
    )


def wanting_deployment(cluster: ClusterAccess, pod: Pod) -> str | None:
    """Return the name of the Deployment of whose newest version the pod is; None where it is of none, or of an older.

    None also while the Deployment was written and Kubernetes has not looked at it yet.
    """
    namespace = pod["metadata"]["namespace"]
    of_pod = _owner(pod, "ReplicaSet")
    replica_set = of_pod and cluster.find(f"/apis/apps/v1/namespaces/{namespace}/replicasets/{of_pod}")
    name = _owner(replica_set, "Deployment") if replica_set else None
    deployment = name and cluster.find(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    if not deployment or not replica_set:
        return None
    is_seen = deployment.get("status", {}).get("observedGeneration") == deployment["metadata"]["generation"]
    return name if is_seen and _revision(deployment) == _revision(replica_set) else None


def _owner(of: Mapping[str, Any], kind: str) -> str | None:
    owners = of["metadata"].get("ownerReferences", ())
    return next((str(owner["name"]) for owner in owners if owner["kind"] == kind), None)


def _revision(of: Mapping[str, Any]) -> str:
    return str(of["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision"))


def reasons_pods_do_not_start(
    cluster: ClusterAccess, namespace: str, *, such_as: Callable[[Pod], bool] = lambda _: True
) -> list[str]:
    """Return a paragraph for each way in which pods (`such_as` these) are not ready, those of the newest pod first."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    pods = pods_of(cluster, namespace).values()
    reasons: dict[str, str] = {}
    for pod in sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True):
        if such_as(pod) and not is_ready(pod) and "deletionTimestamp" not in pod["metadata"]:
            for reason in _reasons(cluster, f"{path}/{pod['metadata']['name']}", pod):
                # Replicas fail alike: one of them speaks for all.
                reasons.setdefault(_without_own_traits(reason, pod), f"pod {pod['metadata']['name']}: {reason}")
    return list(reasons.values())


def _without_own_traits(reason: str, pod: Pod) -> str:
    """Take from a reason what differs between replicas that fail alike: names, addresses, ports and times."""
    for own in ("name", "uid"):
        reason = reason.replace(pod["metadata"][own], "")
    return re.sub(r"\d+", "", reason)


def _unscheduled(pod: Pod) -> str | None:
    """Return why no node takes the pod, None where one does."""
    for condition in conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return condition.get("message") or condition.get("reason", "no reason given")
    return None


def _reasons(cluster: ClusterAccess, path: str, pod: Pod) -> Iterator[str]:
    unscheduled = _unscheduled(pod)
    if unscheduled is not None:
        yield f"cannot be scheduled: {unscheduled}"
        return
    for container in pod["status"].get("containerStatuses", []):
        if not container["ready"]:
            yield _reason(cluster, path, pod, container)


def _reason(cluster: ClusterAccess, path: str, pod: Pod, container: Mapping[str, Any]) -> str:
    name = container["name"]
    ended = container["state"].get("terminated") or container.get("lastState", {}).get("terminated")
    if ended:
        # Our pods leave the end of their log with the container's end; the log itself may be gone with the container.
        lines = ended.get("message", "").splitlines()[-_LOG_LINES:] or _last_log_lines(cluster, path, name)
        said = "".join(f"\n  {line}" for line in lines) or " (none)"
        return f"container {name} {_how_it_ended(cluster, pod, ended)}; its last log lines:{said}"
    waiting = container["state"].get("waiting")
    if waiting:
        said = waiting.get("message") or _last_warning(cluster, pod) or "no further reason given"
        return f"container {name} is waiting: {waiting.get('reason', 'unknown')}: {said}"
    said = _last_warning(cluster, pod) or "its probes have not succeeded yet"
    return f"container {name} runs but is not ready: {said}"


def _how_it_ended(cluster: ClusterAccess, pod: Pod, ended: Mapping[str, Any]) -> str:
    if ended["exitCode"] in _TOLD_TO_END and ended["reason"] != "OOMKilled":
        probe = _last_warning(cluster, pod, reason="Unhealthy")
        if probe:
            return f"was stopped because of its probe: {probe}"
    return f"crashed with exit code {ended['exitCode']} ({ended['reason']})"


def _last_log_lines(cluster: ClusterAccess, path: str, container: str) -> list[str]:
    query = {"container": container, "tailLines": str(_LOG_LINES)}
    for which in ({"previous": "true"}, {}):
        text = cluster.text(f"{path}/log", **query, **which)
        # The kubelet says this with status 200 when the container was removed between two of its restarts.
        if text and not text.startswith("unable to retrieve container logs"):
            return text.splitlines()
    return []


def _last_warning(cluster: ClusterAccess, pod: Pod, *, reason: str | None = None) -> str:
    selector = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
    events = cluster.items(f"/api/v1/namespaces/{pod['metadata']['namespace']}/events", fieldSelector=selector)
    fitting = [event for event in events if reason in (None, event.get("reason"))]
    newest = sorted(fitting, key=lambda event: event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
    return newest[-1]["message"].strip() if newest else ""
