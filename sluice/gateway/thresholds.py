"""The registry's limits as series, `sluice_threshold`: alert rules join them, so that no rule is written for an agent.

gateway.json says what most agents have once, and of an agent what differs. Budgets are of all agents together, and have
`agent="all"`, as `sluice_spend_dollars` has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

Thresholds = Mapping[str, Mapping[str, float]]
"""By agent, or ALL_AGENTS, and then by name."""

ALL_AGENTS = "all"


def read_thresholds(value: object, agents: Iterable[str], faults: list[str]) -> Thresholds:
    """Read them from gateway.json, where nothing need stand; what is wrong is added to `faults`."""
    fields = _fields("thresholds", {} if value is None else value, faults)
    usual = _numbers("thresholds.usual", fields.get("usual", {}), faults)
    differing = _fields("thresholds.agents", fields.get("agents", {}), faults)
    read = {
        agent: {**usual, **_numbers(f"thresholds.agents.{agent}", differing.get(agent, {}), faults)} for agent in agents
    }
    return {**read, ALL_AGENTS: _numbers("thresholds.budgets", fields.get("budgets", {}), faults)}


def show_thresholds(thresholds: Thresholds, registry: CollectorRegistry) -> None:
    """Make a series of each."""
    gauge = Gauge(
        "sluice_threshold",
        "The registry's limits.",
        ["agent", "name"],
        multiprocess_mode="livemax",
        registry=registry,
    )
    for agent, values in thresholds.items():
        for name, value in values.items():
            gauge.labels(agent, name).set(value)


def thresholds_named(name: str, thresholds: Thresholds) -> dict[str, float]:
    """Return one threshold of those agents that have it."""
    return {agent: values[name] for agent, values in thresholds.items() if name in values}


def _numbers(path: str, value: object, faults: list[str]) -> dict[str, float]:
    numbers = {}
    for name, number in _fields(path, value, faults).items():
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            numbers[name] = float(number)
        else:
            faults.append(f"{path}.{name}: must be a number")
    return numbers


def _fields(path: str, value: object, faults: list[str]) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    faults.append(f"{path}: must be an object")
    return {}
