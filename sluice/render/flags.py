"""The ConfigMap `flags`: per agent which arm a user gets, in flagd's JSON.

It has a fixed name and changes in place, so that a new weight, candidate or kill switch restarts no pod. A user is
drawn once per agent and candidate: the salt holds both and no weight, the candidate's range comes first and the total
is always 100, so whoever has the candidate at 10 % keeps it at every higher weight.
"""

from __future__ import annotations

from typing import Any

from sluice.registry import AgentRollout, Arm, Rollout
from sluice.render.json_text import json_text
from sluice.render.kubernetes_object import KubernetesObject, kubernetes_object, labels

NAME = "flags"
DATA_KEY = "flags.json"

_SCHEMA = "https://flagd.dev/schema/v0/flags.json"


def flags(rollout: Rollout, namespace: str) -> KubernetesObject:
    """Render the flags of every agent of a rollout."""
    content = {
        "$schema": _SCHEMA,
        "flags": {
            agent: _flag(agent_rollout, rollout.wanted_weight_percent(agent))
            for agent, agent_rollout in rollout.agents.items()
        },
    }
    return kubernetes_object(
        "v1",
        "ConfigMap",
        NAME,
        namespace=namespace,
        labels=labels("gateway", component="flags"),
        data={DATA_KEY: json_text(content)},
    )


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
