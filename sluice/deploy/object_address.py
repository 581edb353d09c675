"""Where the API server keeps an object of ours: its path, by kind, namespace and name."""

from __future__ import annotations

from sluice.render import KubernetesObject


def address(item: KubernetesObject) -> str:
    """Return the path at which the API server answers for the object."""
    root = f"/apis/{item.api_version}" if "/" in item.api_version else f"/api/{item.api_version}"
    place = f"/namespaces/{item.namespace}" if item.namespace else ""
    return f"{root}{place}/{_plural(item.kind)}/{item.name}"


def _plural(kind: str) -> str:
    lowered = kind.lower()
    if lowered.endswith("y"):
        return f"{lowered[:-1]}ies"
    return f"{lowered}es" if lowered.endswith("s") else f"{lowered}s"
