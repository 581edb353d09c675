"""What a gateway's metrics show of its flags and overrides."""

from __future__ import annotations

from sluice.gateway.metrics import Metrics


def weights(metrics: Metrics, kind: str = "served") -> dict[str, float | None]:
    value = metrics.registry.get_sample_value
    return {agent: value("sluice_rollout_weight", {"agent": agent, "kind": kind}) for agent in ("qa", "legal")}


def broken(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("sluice_flags_broken")


def active(metrics: Metrics) -> dict[str, float | None]:
    value = metrics.registry.get_sample_value
    return {agent: value("sluice_override_active", {"agent": agent}) for agent in ("qa", "legal")}
