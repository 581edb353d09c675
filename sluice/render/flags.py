"""The ConfigMap `flags`: per agent which arm a user gets, in flagd's JSON. What is too much for one lies in several.

It has a fixed name and changes in place, so that a new weight, candidate or kill switch restarts no pod. A user is
drawn once per agent and candidate: the salt holds both and no weight, the candidate's range comes first and the total
is always 100, so whoever has the candidate at 10 % keeps it at every higher weight.

In which of several an agent stands is drawn by its name, and how many there are does not depend on weights: a new
weight changes one of them in place, and a new agent moves no other until there must be one more.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sluice.registry import AgentRollout, Arm, Rollout
from sluice.render.json_text import json_text
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

NAME = "flags"
DATA_KEY = "flags.json"
LARGEST_BYTES = 1_000_000
"""What is put into one ConfigMap; Kubernetes takes 1,048,576 bytes."""

_SCHEMA = "https://flagd.dev/schema/v0/flags.json"


def flags(rollout: Rollout, namespace: str) -> tuple[KubernetesObject, ...]:
    """Render the flags of every agent of a rollout: `flags`, and `flags-1` and so on where one is not enough."""
    return tuple(
        kubernetes_object(
            "v1",
            "ConfigMap",
            _name(number),
            namespace=namespace,
            labels=labels("gateway", component="flags"),
            data={f"{_name(number)}.json": _text(rollout, agents)},
        )
        for number, agents in enumerate(_parts(rollout))
    )


def _name(number: int) -> str:
    return f"{NAME}-{number}" if number else NAME


def _parts(rollout: Rollout) -> list[list[str]]:
    """Return the agents of each ConfigMap, in as few as hold them."""
    # One weight for all: 100 is a digit longer than 10, and no step of a ladder may make another ConfigMap.
    sizes = {
        agent: len(_compact({agent: _flag(agent_rollout, 100)}).encode())
        for agent, agent_rollout in rollout.agents.items()
    }
    draws = {agent: int.from_bytes(hashlib.sha256(agent.encode()).digest()[:8]) for agent in sizes}
    count = 1
    while True:
        parts: list[list[str]] = [[] for _ in range(count)]
        for agent in sizes:
            parts[draws[agent] % count].append(agent)
        # A ConfigMap with one agent can get no smaller: the API server has the last word on it.
        if all(sum(sizes[agent] for agent in part) <= LARGEST_BYTES or len(part) < 2 for part in parts):
            return parts
        count += 1


def _text(rollout: Rollout, agents: list[str]) -> str:
    """Write the flags for people to review, or, where that takes too much room, without a space."""
    content = {agent: _flag(rollout.agents[agent], rollout.wanted_weight_percent(agent)) for agent in agents}
    text = json_text({"$schema": _SCHEMA, "flags": content})
    if len(text.encode()) <= LARGEST_BYTES:
        return text
    each = (f"{json.dumps(agent)}:{_compact(flag)}" for agent, flag in content.items())
    one_a_line = ",\n".join(each)
    return f'{{"$schema":"{_SCHEMA}","flags":{{\n{one_a_line}\n}}}}\n'


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _flag(rollout: AgentRollout, weight_percent: int) -> dict[str, Any]:
    baseline = list(rollout.baseline)
    if rollout.candidate is None:
        return {
            "state": "ENABLED",
            "variants": {Arm.BASELINE: {"models": baseline}},
            "defaultVariant": Arm.BASELINE,
            "metadata": {"weight": 0, **_since(rollout)},
        }
    salt = f"{rollout.agent}/{rollout.candidate}/"
    return {
        "state": "ENABLED",
        "variants": {
            Arm.CANDIDATE: {"models": [rollout.candidate, *baseline]},
            Arm.BASELINE: {"models": baseline},
        },
        "defaultVariant": Arm.BASELINE,
        "targeting": {
            "fractional": [
                {"cat": [salt, {"var": "targetingKey"}]},
                [Arm.CANDIDATE, weight_percent],
                [Arm.BASELINE, 100 - weight_percent],
            ]
        },
        "metadata": {"weight": weight_percent, "candidate": rollout.candidate, **_since(rollout)},
    }


def _since(rollout: AgentRollout) -> dict[str, str]:
    """Return the day that a review's days are counted from, if the rollout has begun."""
    return {} if rollout.since is None else {"since": rollout.since.isoformat()}
