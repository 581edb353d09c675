"""What the gateway is told: the flags of its agents, and its configuration."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from sluice.registry import (
    CallerLimits,
    Rate,
    Rollout,
)
from sluice.render import Rendered, render
from sluice.render.thresholds import thresholds
from tests.render.made_environment import REGISTRY, SETTINGS, only, rollout, rollouts


def flag(rendered: Rendered, agent: str) -> dict[str, object]:
    flags: dict[str, dict[str, object]] = json.loads(rendered.flags[0].body["data"]["flags.json"])["flags"]
    return flags[agent]


def test_the_flag_of_an_agent_is_what_the_gateway_reads() -> None:
    assert flag(render(REGISTRY, rollout(10), SETTINGS), "qa") == {
        "state": "ENABLED",
        "variants": {"candidate": {"models": ["qa-1", "gpt-4o"]}, "baseline": {"models": ["gpt-4o"]}},
        "defaultVariant": "baseline",
        "targeting": {
            "fractional": [{"cat": ["qa/qa-1/", {"var": "targetingKey"}]}, ["candidate", 10], ["baseline", 90]]
        },
        "metadata": {"weight": 10, "candidate": "qa-1"},
    }


def test_an_agent_without_a_candidate_has_only_its_baseline() -> None:
    assert flag(render(REGISTRY, rollout(), SETTINGS), "legal") == {
        "state": "ENABLED",
        "variants": {"baseline": {"models": ["gpt-4o"]}},
        "defaultVariant": "baseline",
        "metadata": {"weight": 0},
    }


@given(rollouts)
def test_the_candidates_range_comes_first_and_the_total_is_always_100(declared: Rollout) -> None:
    rendered = flag(render(REGISTRY, declared, SETTINGS), "qa")

    if declared.agents["qa"].candidate is None:
        assert "targeting" not in rendered
        return
    salt, candidate, baseline = rendered["targeting"]["fractional"]  # type: ignore[index]
    assert salt == {"cat": [f"qa/{declared.agents['qa'].candidate}/", {"var": "targetingKey"}]}
    assert candidate == ["candidate", declared.wanted_weight_percent("qa")]
    assert baseline == ["baseline", 100 - candidate[1]]


def test_the_kill_switch_makes_every_weight_0_and_keeps_the_salt() -> None:
    on, off = (flag(render(REGISTRY, rollout(50, enabled=enabled), SETTINGS), "qa") for enabled in (True, False))

    assert off["metadata"] == {"weight": 0, "candidate": "qa-1"}
    assert off["targeting"]["fractional"][1:] == [["candidate", 0], ["baseline", 100]]  # type: ignore[index]
    assert off["targeting"]["fractional"][0] == on["targeting"]["fractional"][0]  # type: ignore[index]


@given(rollouts, rollouts)
def test_nothing_but_the_flags_depends_on_the_rollout(one: Rollout, other: Rollout) -> None:
    first, second = render(REGISTRY, one, SETTINGS), render(REGISTRY, other, SETTINGS)

    assert replace(first, flags=second.flags) == second


AFTERCARE = {
    "scoring": {"share": 1.0, "per_second": 20.0, "expects": "general"},
    "failed_queries": 100,
    "worst_queries": 10,
    "screen": "block",
}

CACHE = {"cache": {"keep": 3600, "across_users": False}}


def test_the_gateways_configuration_is_what_it_reads() -> None:
    settings = replace(SETTINGS, provider_addresses={"mistral": "http://stub-provider:8080/mistral/v1"})
    configuration = only(render(REGISTRY, rollout(), settings), "ConfigMap", "gateway-config-")

    assert json.loads(configuration.body["data"]["gateway.json"]) == {
        "version": 1,
        "environment": "dev",
        "callers": "required",
        "agents": {
            name: {"summary": summary, "breaker": {"failures": 5, "open": 60}, "deadline": 60, **AFTERCARE, **CACHE}
            for name, summary in (("qa", "unit tests"), ("legal", "clauses"))
        },
        "assignment": {"hash": 3, "salt": "agent/candidate/", "key": "as sent"},
        "models": {
            name: {
                "provider": "mistral",
                "id": f"ft:{name}",
                "price": {"input": 0.0008, "output": 0.0016},
                "fine_tuned": True,
            }
            for name in ("qa-1", "qa-2", "gpt-4o")
        },
        "providers": {
            "mistral": {
                "api": "http://stub-provider:8080/mistral/v1",
                "key": "mistral-api-key",
                "dialect": "openai",
                "stream_usage": "on_request",
                "requests_per_second": 5,
            }
        },
        "limits": {"at_once": 512, "waiting": 256, "callers": {}},
        "budgets": {"day": {"warning": 5}, "month": {"budget": 50, "cap": 100, "at_cap": "baseline"}},
        "thresholds": thresholds(REGISTRY),
    }


@pytest.mark.parametrize(("hedge_after", "rendered"), [(timedelta(seconds=8), {"hedge_after": 8}), (timedelta(), {})])
def test_when_to_hedge_is_rendered_where_it_is_asked_for(hedge_after: timedelta, rendered: dict[str, int]) -> None:
    policy = replace(REGISTRY.agents["qa"].policy, hedge_after=hedge_after)
    agents = {**REGISTRY.agents, "qa": replace(REGISTRY.agents["qa"], policy=policy)}
    configuration = only(render(replace(REGISTRY, agents=agents), rollout(), SETTINGS), "ConfigMap", "gateway-config-")

    told = json.loads(configuration.body["data"]["gateway.json"])["agents"]
    assert {name: {key: agent[key] for key in agent if "hedge" in key} for name, agent in told.items()} == {
        "qa": rendered,
        "legal": {},
    }


def test_rates_are_rendered_with_their_burst_and_agents_only_where_the_environment_holds_them() -> None:
    policy = replace(REGISTRY.agents["qa"].policy, rate=Rate(1.5))
    agents = {**REGISTRY.agents, "qa": replace(REGISTRY.agents["qa"], policy=policy)}
    registry = replace(REGISTRY, agents=agents)
    limits = CallerLimits(caller=Rate(5), callers={"halo": Rate(50, burst=80)})

    def content(limits: CallerLimits) -> dict[str, Any]:
        settings = replace(SETTINGS, gateway=replace(SETTINGS.gateway, limits=limits))
        configuration = only(render(registry, rollout(), settings), "ConfigMap", "gateway-config-")
        return dict(json.loads(configuration.body["data"]["gateway.json"]))

    held = content(limits)
    assert held["agents"]["qa"]["rate"] == {"requests_per_second": 1.5, "burst": 15}
    assert held["limits"]["caller"] == {"requests_per_second": 5, "burst": 50}
    assert held["limits"]["callers"] == {"halo": {"requests_per_second": 50, "burst": 80}}
    assert "rate" not in content(replace(limits, agent_rates=False))["agents"]["qa"]


def test_a_change_of_the_configuration_is_a_new_name_that_the_pods_mount() -> None:
    moved = replace(SETTINGS, provider_addresses={"mistral": "http://elsewhere/v1"})
    names = set()
    for settings in (SETTINGS, moved):
        rendered = render(REGISTRY, rollout(), settings)
        name = only(rendered, "ConfigMap", "gateway-config-").name
        volumes = only(rendered, "Deployment", "gateway").body["spec"]["template"]["spec"]["volumes"]
        assert {"name": "config", "configMap": {"name": name}} in volumes
        assert re.fullmatch(r"gateway-config-[0-9a-f]{8}", name)
        names.add(name)
    assert len(names) == 2
