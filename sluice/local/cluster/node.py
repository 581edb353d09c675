"""The node as the API server sees it: whether it takes pods, and whether that is news or from before it stopped."""

from __future__ import annotations

import datetime as dt
import math
import time
from dataclasses import dataclass
from typing import Any

from sluice.local.cluster import logs
from sluice.local.cluster.api import Api
from sluice.local.cluster.components import Name
from sluice.local.cluster.errors import ApiRefused, ApiUnreachable, NodeNotReady
from sluice.local.cluster.layout import NODE_NAME, Layout
from sluice.progress import Progress

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the node takes pods, when it said so (seconds since 1970), and what it says."""

    is_ready: bool
    said_at: float
    message: str


def wait_until_ready(layout: Layout, *, since: float, progress: Progress) -> None:
    """Return when the node has said that it is ready at `since` (seconds since 1970) or later. Raises NodeNotReady."""
    api = Api(layout.kubeconfig)
    # The API has whole seconds.
    since = math.floor(since)
    if _is_ready(readiness(api), since):
        return
    end = time.monotonic() + _READY_SECONDS
    with progress.step("waiting for the node"):
        while not _is_ready(found := readiness(api), since):
            if time.monotonic() > end:
                log = logs.log_file(layout.state, Name.KUBELET)
                raise NodeNotReady(found.message if found else "the kubelet has not registered it", log=log)
            time.sleep(_POLL_SECONDS)


def readiness(api: Api) -> Readiness | None:
    """Return what the node says of itself; None when there is no node or no answer."""
    try:
        node = api.get(f"/api/v1/nodes/{NODE_NAME}")
    except (ApiRefused, ApiUnreachable):
        return None
    return parse(node)


def parse(node: dict[str, Any]) -> Readiness | None:
    """Return the readiness in a Node object; None when it has said nothing yet."""
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready":
            said_at = dt.datetime.fromisoformat(condition["lastHeartbeatTime"]).timestamp()
            return Readiness(condition["status"] == "True", said_at, str(condition.get("message", "")))
    return None


def _is_ready(found: Readiness | None, since: float) -> bool:
    return found is not None and found.is_ready and found.said_at >= since
