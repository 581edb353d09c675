from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.gateway.configuration import load_configuration
from sluice.gateway.thresholds import read_thresholds, show_thresholds
from sluice.registry import load_registry, load_settings
from sluice.registry.policy import LatencyLimits, Limits
from sluice.render.gateway_configuration import gateway_configuration

PROJECT = Path(__file__).resolve().parents[2]


def test_the_registrys_limits_reach_the_series_of_every_agent(tmp_path: Path) -> None:
    registry = load_registry(PROJECT / "registry")
    (rendered,) = gateway_configuration(registry, load_settings(PROJECT, "production", registry))
    file = tmp_path / "gateway.json"
    file.write_text(rendered.body["data"]["gateway.json"])
    shown = CollectorRegistry()
    show_thresholds(load_configuration(file).thresholds, shown)
    for name, agent in registry.agents.items():
        limits = agent.policy.limits
        wanted = {
            "quality_drop_canary_percent": limits.quality_drop.canary_percent,
            "error_rate_canary_percent": limits.error_rate.canary_percent,
            "p95_rollback_seconds": limits.latency.p95_rollback.total_seconds(),
            "hand_over_below": agent.policy.safeguards.hand_over_below,
        }
        found = {each: shown.get_sample_value("sluice_threshold", {"agent": name, "name": each}) for each in wanted}
        assert found == wanted
    assert shown.get_sample_value("sluice_threshold", {"agent": "all", "name": "spend_month_cap_dollars"}) == 100.0


def test_what_most_agents_have_is_said_once() -> None:
    registry = load_registry(PROJECT / "registry")
    agents = dict(registry.agents)
    slow = Limits(latency=LatencyLimits(p95_goal=agents["legal"].policy.limits.latency.p95_goal * 3))
    agents["legal"] = dataclasses.replace(
        agents["legal"], policy=dataclasses.replace(agents["legal"].policy, limits=slow)
    )
    changed = dataclasses.replace(registry, agents=agents)
    (rendered,) = gateway_configuration(changed, load_settings(PROJECT, "dev", registry))
    said: Any = json.loads(rendered.body["data"]["gateway.json"])["thresholds"]
    assert said["agents"] == {"legal": {"p95_goal_seconds": 6.0}, "support": {"hand_over_below": 7.0}}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], "thresholds: must be an object"),
        ({"usual": {"a": "5"}}, "thresholds.usual.a: must be a number"),
        ({"agents": {"qa": {"a": True}}}, "thresholds.agents.qa.a: must be a number"),
    ],
)
def test_a_threshold_that_is_no_number_is_a_fault(value: Any, fault: str) -> None:
    faults: list[str] = []
    read_thresholds(value, ["qa"], faults)
    assert faults == [fault]


def test_a_file_from_before_there_were_thresholds_has_none() -> None:
    faults: list[str] = []
    assert read_thresholds(None, ["qa"], faults) == {"qa": {}, "all": {}}
    assert not faults
