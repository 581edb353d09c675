"""What git wants of each agent, as the cluster has it at this moment: the weights in the ConfigMap `flags`.

It is asked and not the registry's files, because it is what would be served without an override, and because a file
that somebody is just editing must not stand between a person and a rollback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sluice.rollout.cluster import Cluster, ClusterRefused, json_object

FLAGS = "flags"
_NO_MORE = (403, 404)
"""Whose role names each ConfigMap that there is, may not ask for one that there is not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one agent's flag says: the percentage of users on the candidate, and the candidate, None for none.

    `since` is the day from which the weight holds, `baseline` the models that answer the others, in order.
    """

    agent: str
    weight_percent: int
    candidate: str | None
    since: date | None = None
    baseline: tuple[str, ...] = ()


def read_wanted(cluster: Cluster, namespace: str) -> Mapping[str, Wanted]:
    """Return every agent that the flags know. Raises `ClusterRefused`, and what the cluster's `ask` does.

    What is too much for the one ConfigMap stands in `flags-1` and so on.
    """
    found = _agents(_read(cluster, namespace, FLAGS), FLAGS)
    number = 1
    while True:
        name = f"{FLAGS}-{number}"
        try:
            more = _read(cluster, namespace, name)
        except ClusterRefused as error:
            if error.status in _NO_MORE:
                return found
            raise
        found |= _agents(more, name)
        number += 1


def _read(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    return json_object(cluster, path, f"ConfigMap {name} cannot be read")


def _agents(config_map: dict[str, Any], name: str) -> dict[str, Wanted]:
    try:
        flags = json.loads(config_map["data"][f"{name}.json"])["flags"]
        return {agent: _wanted(agent, flag) for agent, flag in flags.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClusterRefused(f"ConfigMap {name} cannot be read", 200, "its content is not what is rendered") from None


def _wanted(agent: str, flag: dict[str, Any]) -> Wanted:
    about = flag.get("metadata", {})
    weight = about.get("weight", 0) if flag.get("state") == "ENABLED" else 0
    candidate, since = about.get("candidate"), about.get("since")
    baseline = flag.get("variants", {}).get("baseline", {}).get("models", ())
    return Wanted(
        agent,
        int(weight),
        candidate if isinstance(candidate, str) else None,
        date.fromisoformat(since) if isinstance(since, str) else None,
        tuple(map(str, baseline)),
    )
