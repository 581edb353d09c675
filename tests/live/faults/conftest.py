"""The environment for the faults, made once for this folder and undone at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.faults.world import (
    BASELINES,
    BREAKER_SECONDS,
    CANDIDATES,
    DEADLINE_SECONDS,
    GATEWAYS,
    HEDGED,
    World,
    add_hedged_agent,
    edit,
    provider_apart,
)
from tests.live.project import AGENTS, LiveProject


@pytest.fixture(scope="package")
def live_world(project: LiveProject) -> Iterator[World]:
    settings, models = project.folder / "Pulumi.live.yaml", project.folder / "registry/models.yaml"
    kept = {file: file.read_text() for file in (settings, models)}
    add_hedged_agent(models)
    project.roll_out({**dict.fromkeys(AGENTS, 50), HEDGED: 100})
    project.up()
    provider_apart(project)
    edit(settings, r"replicas: 1\n", f"replicas: {GATEWAYS}\n")
    edit(settings, f"http://{BASELINES}:8080/mistral/v1", f"http://{CANDIDATES}:8080/mistral/v1")
    edit(models, r"breaker: \{failures: 5, open: 60s\}", f"breaker: {{failures: 5, open: {BREAKER_SECONDS}s}}")
    edit(models, r"deadline: 60s", f"deadline: {DEADLINE_SECONDS}s")
    world = World(project)
    world.start(CANDIDATES)
    project.up()
    yield world
    for file, text in kept.items():
        file.write_text(text)
    project.roll_out(dict.fromkeys(AGENTS, 50))
    # Providers that were stopped are replaced here once more, and asked before the node sends calls to their new pods.
    project.wait_for(lambda: project.sluice("up", "live").exit_code == 0, seconds=240)
    world.kubectl("delete", "deployment,service", CANDIDATES)


@pytest.fixture
def world(live_world: World) -> World:
    """The environment with nothing left of the fault before."""
    for provider in (CANDIDATES, BASELINES):
        live_world.dial(provider)
    live_world.calm()
    return live_world
