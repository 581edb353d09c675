"""Thousands of agents: as many objects as for five, until what they say no longer fits into one ConfigMap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.validate.made_registry import make_registry
from sluice.gateway.configuration import load_configuration
from sluice.gateway.flags import Flags
from sluice.gateway.live_flags import LiveFlags
from sluice.gateway.metrics import Metrics
from sluice.registry import AgentRollout, Environment, Rollout, load_environment
from sluice.render import Rendered, manifests, render
from sluice.render.flags import flags

pytestmark = pytest.mark.slow


PROJECT = Path(__file__).resolve().parents[2]
MOST_BYTES = 1_048_576
"""What Kubernetes takes as one ConfigMap's data."""


def declared(folder: Path, *, agents: int, models: int) -> Environment:
    make_registry(folder, agents=agents, models=models)
    return load_environment(PROJECT, "dev", folder=folder)


def rendered(environment: Environment) -> Rendered:
    return render(environment.registry, environment.rollout, environment.settings)


def rollout(agents: int, weight: int) -> Rollout:
    names = [f"agent-{number}" for number in range(agents)]
    return Rollout(
        "dev",
        True,
        {name: AgentRollout(name, f"{name}-20251031", weight, None, ("gpt-4o", "claude")) for name in names},
    )


def said(environment: Rendered) -> dict[str, dict[str, Any]]:
    """What the flags of all ConfigMaps say, by agent."""
    found: dict[str, dict[str, Any]] = {}
    for number, config_map in enumerate(environment.flags):
        name = f"flags-{number}" if number else "flags"
        assert config_map.name == name
        part = json.loads(config_map.body["data"][f"{name}.json"])["flags"]
        assert not part.keys() & found.keys()
        found |= part
    return found


def data_bytes(environment: Rendered) -> int:
    """What the largest ConfigMap holds."""
    return max(
        sum(len(key) + len(text.encode()) for key, text in item.body.get("data", {}).items())
        for item in environment.objects()
        if item.kind == "ConfigMap"
    )


def test_a_thousand_agents_take_the_same_objects_as_five(tmp_path: Path) -> None:
    few = rendered(declared(tmp_path / "few", agents=5, models=7))
    many = rendered(declared(tmp_path / "many", agents=1_000, models=1_000))

    assert manifests(many).keys() == manifests(few).keys()
    assert data_bytes(many) <= MOST_BYTES


@pytest.mark.slow
def test_what_thousands_of_agents_say_is_dealt_out_and_read_by_the_gateway(tmp_path: Path) -> None:
    environment = declared(tmp_path / "registry", agents=4_000, models=6_000)
    made = rendered(environment)
    mounted = tmp_path / "mounted"
    for name, config_maps in mounts(made).items():
        for config_map in config_maps:
            for key, text in made_object(made, config_map).body["data"].items():
                (mounted / name).mkdir(parents=True, exist_ok=True)
                (mounted / name / key).write_text(text)

    assert len(made.flags) > 1
    assert data_bytes(made) <= MOST_BYTES
    configuration = load_configuration(mounted / "config" / "gateway.json")
    assert list(configuration.agents) == list(environment.registry.agents)
    assert configuration.models.keys() == environment.registry.models.keys()
    metrics = Metrics(configuration.agents)
    in_force = Flags(configuration, metrics)
    LiveFlags(mounted, in_force, metrics, len(made.flags)).refresh()
    assert in_force.not_loaded_because == ""
    assert all(in_force.flag(agent) is not None for agent in configuration.agents)


def mounts(made: Rendered) -> dict[str, list[str]]:
    """The ConfigMaps behind the folders of the gateway's pod that must be there."""
    (deployment,) = [item for item in made.gateway if item.kind == "Deployment"]
    found = {}
    for volume in deployment.body["spec"]["template"]["spec"]["volumes"]:
        sources = volume.get("projected", {}).get("sources", [volume])
        names = [source["configMap"]["name"] for source in sources if "configMap" in source]
        if names and volume["name"] not in ("override", "api-access"):
            found[volume["name"]] = names
    return found


def made_object(made: Rendered, config_map: str) -> Any:
    (found,) = [item for item in made.objects() if item.kind == "ConfigMap" and item.name == config_map]
    return found


def test_every_config_map_with_flags_is_mounted_watched_and_counted(tmp_path: Path) -> None:
    environment = declared(tmp_path, agents=5, models=7)
    made = render(environment.registry, rollout(4_000, 10), environment.settings)
    names = [config_map.name for config_map in made.flags]

    (deployment,) = [item for item in made.gateway if item.kind == "Deployment"]
    (container,) = deployment.body["spec"]["template"]["spec"]["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert {name: places[name] for name in names} == {name: f"/etc/sluice/{name}" for name in names}
    assert {"name": "SLUICE_GATEWAY_FLAG_MAPS", "value": str(len(names))} in container["env"]
    (watch,) = [item for item in made.access if (item.kind, item.name) == ("Role", "gateway-watch")]
    assert watch.body["rules"][0]["resourceNames"] == [*names, "override"]


def test_a_weight_changes_one_config_map_and_never_how_many_there_are() -> None:
    before, higher = rollout(4_000, 10), rollout(4_000, 100)
    changed = {**before.agents, "agent-7": higher.agents["agent-7"]}

    first, second = flags(before, "made"), flags(Rollout("dev", True, changed), "made")

    assert len(first) == len(second) > 1
    assert sum(one != other for one, other in zip(first, second, strict=True)) == 1
    for weight in (0, 25, 100):
        assert len(flags(rollout(4_000, weight), "made")) == len(first)


@pytest.mark.parametrize("agents", [2_000, 2_300, 2_600, 3_000])
def test_no_config_map_is_larger_than_kubernetes_takes_whatever_the_weights(agents: int) -> None:
    for weight in (0, 100):
        for config_map in flags(rollout(agents, weight), "made"):
            assert all(len(text.encode()) < MOST_BYTES for text in config_map.body["data"].values())


def test_another_agent_leaves_every_other_in_its_config_map() -> None:
    fewer, more = flags(rollout(4_000, 10), "made"), flags(rollout(4_001, 10), "made")

    assert len(fewer) == len(more)
    assert sum(one != other for one, other in zip(fewer, more, strict=True)) == 1
