"""What a pod is given and allowed, as an environment's settings say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Resources:
    """What a pod is given and allowed, as Kubernetes quantities; a CPU limit is left out unless somebody sets one.

    Memory is given as it is allowed: what one pod takes beyond its request, another is killed for.
    """

    cpu_request: str = "100m"
    memory_request: str = "256Mi"
    cpu_limit: str | None = None
    memory_limit: str = "256Mi"


def resources_of(body: Mapping[str, Any], default: Resources) -> Resources:
    """Build a part's `resources`; what is left out is as in `default`."""
    requests, limits = body.get("requests", {}), body.get("limits", {})
    return Resources(
        cpu_request=requests.get("cpu", default.cpu_request),
        memory_request=requests.get("memory", default.memory_request),
        cpu_limit=limits.get("cpu"),
        memory_limit=limits.get("memory", default.memory_limit),
    )
