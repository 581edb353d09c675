"""Pods after a cold start: the API still shows them running from before, until the kubelet has started each again.

Whoever came back to a cluster that was stopped would otherwise be told "ready" by pods that are not there yet.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sluice.local.cluster.api import Api
from sluice.local.cluster.layout import NODE_NAME
from sluice.progress import Progress

_BACK_SECONDS = 20.0
_POLL_SECONDS = 0.2
_PATH = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE_NAME}"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the node; `started_at` is when its oldest running container started, in seconds since 1970."""

    uid: str
    name: str
    is_ready: bool
    started_at: float | None

    def is_back(self, since: float) -> bool:
        """Whether it is ready, with containers that started at `since` (seconds since 1970) or later."""
        return self.is_ready and self.started_at is not None and self.started_at >= math.floor(since)


def ready_pods(api: Api) -> tuple[Pod, ...]:
    """Return the pods that the API shows as ready. Raises ApiRefused and ApiUnreachable."""
    return tuple(pod for pod in parse(api.get(_PATH)) if pod.is_ready)


def wait_until_back(api: Api, pods: tuple[Pod, ...], *, since: float, progress: Progress) -> None:
    """Wait until those of `pods` that still exist are ready again, 20 s at most; then say which are not.

    A pod that does not come back is its owner's matter and no failure of the cluster.
    """
    if not pods:
        return
    end = time.monotonic() + _BACK_SECONDS
    with progress.step("waiting for the pods that ran before"):
        while (missing := _not_back(api, pods, since)) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
    if missing:
        progress.say(f"not ready again yet: {', '.join(missing)}")


def parse(pod_list: dict[str, Any]) -> Iterator[Pod]:
    """Yield the pods in a PodList object."""
    for item in pod_list["items"]:
        status = item.get("status", {})
        conditions = {entry["type"]: entry["status"] for entry in status.get("conditions", [])}
        running = [
            dt.datetime.fromisoformat(container["state"]["running"]["startedAt"]).timestamp()
            for container in status.get("containerStatuses", [])
            if "running" in container.get("state", {})
        ]
        metadata = item["metadata"]
        yield Pod(
            uid=metadata["uid"],
            name=f"{metadata['namespace']}/{metadata['name']}",
            is_ready=conditions.get("Ready") == "True",
            started_at=min(running, default=None),
        )


def _not_back(api: Api, pods: tuple[Pod, ...], since: float) -> list[str]:
    wanted = {pod.uid for pod in pods}
    return [pod.name for pod in parse(api.get(_PATH)) if pod.uid in wanted and not pod.is_back(since)]
