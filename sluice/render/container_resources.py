"""What a container is given and allowed, in Kubernetes' words."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from sluice.registry import Resources

EPHEMERAL_STORAGE = "128Mi"
"""The disk of a container whose root cannot be written: its log, of which the kubelet keeps five files of 10 MiB."""


_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")


def resources(given: Resources, processes: int = 1, *, disk: str = EPHEMERAL_STORAGE) -> dict[str, Any]:
    """Render what a container of so many processes is given and allowed; `disk` holds its log and emptyDirs."""
    requests = {
        "cpu": _times(given.cpu_request, processes),
        "memory": _times(given.memory_request, processes),
        "ephemeral-storage": disk,
    }
    limits = {"memory": _times(given.memory_limit, processes), "ephemeral-storage": disk}
    if given.cpu_limit is not None:
        limits["cpu"] = _times(given.cpu_limit, processes)
    return {"requests": requests, "limits": limits}


def _times(quantity: str, count: int) -> str:
    """Return so many times a Kubernetes quantity, in its own unit: twice 256Mi is 512Mi."""
    found = _QUANTITY.fullmatch(quantity)
    if count == 1 or found is None:
        return quantity
    return f"{Decimal(found[1]) * count:f}{found[2]}"
