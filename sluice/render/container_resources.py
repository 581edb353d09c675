"""What a container is given and allowed, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

from sluice.registry import Resources

EPHEMERAL_STORAGE = "128Mi"
"""The disk of a container whose root cannot be written: its log, of which the kubelet keeps five files of 10 MiB."""


def resources(given: Resources) -> dict[str, Any]:
    """Render what a container is given and allowed."""
    requests = {
        "cpu": given.cpu_request,
        "memory": given.memory_request,
        "ephemeral-storage": EPHEMERAL_STORAGE,
    }
    limits = {"memory": given.memory_limit, "ephemeral-storage": EPHEMERAL_STORAGE}
    if given.cpu_limit is not None:
        limits["cpu"] = given.cpu_limit
    return {"requests": requests, "limits": limits}
