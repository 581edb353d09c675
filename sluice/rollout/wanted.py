"""What git wants of each agent, as the cluster has it at this moment: the weights in the ConfigMap `flags`.

It is asked and not the registry's files, because it is what would be served without an override, and because a file
that somebody is just editing must not stand between a person and a rollback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.rollout.cluster import Cluster, ClusterRefused, json_object

FLAGS = "flags"
_DATA_KEY = "flags.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one agent's flag says: the percentage of users on the candidate, and the candidate, None for none."""

    agent: str
    weight_percent: int
    candidate: str | None


def read_wanted(cluster: Cluster, namespace: str) -> Mapping[str, Wanted]:
    """Return every agent that the flags know. Raises `ClusterRefused`, and what the cluster's `ask` does."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/{FLAGS}"
    found = json_object(cluster, path, f"ConfigMap {FLAGS} cannot be read")
    try:
        flags = json.loads(found["data"][_DATA_KEY])["flags"]
        return {agent: _wanted(agent, flag) for agent, flag in flags.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClusterRefused(f"ConfigMap {FLAGS} cannot be read", 200, "its content is not what is rendered") from None


def _wanted(agent: str, flag: dict[str, Any]) -> Wanted:
    about = flag.get("metadata", {})
    weight = about.get("weight", 0) if flag.get("state") == "ENABLED" else 0
    candidate = about.get("candidate")
    return Wanted(agent, int(weight), candidate if isinstance(candidate, str) else None)
