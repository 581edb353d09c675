"""The environments that there are, each loaded whole: registry, rollout and settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.registry import (
    InvalidRegistry,
    environments,
    load_environment,
    load_settings,
)
from tests.registry.settings_example import REGISTRY, RIGHT

PROJECT = Path(__file__).parent.parent.parent


def test_an_unknown_environment_is_refused_with_those_there_are(project: Path) -> None:
    with pytest.raises(
        InvalidRegistry, match=r"Pulumi\.test\.yaml:1:1: does not exist; the environments are dev \[SL001\]$"
    ):
        load_settings(project, "test", REGISTRY)


def test_the_environments_are_those_with_a_stack_file(project: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.a.yaml.bak"):
        Path(name).write_text("")

    assert environments(project) == ("dev", "staging")


@pytest.mark.parametrize("environment", environments(PROJECT))
def test_every_environment_of_the_project_loads(environment: str) -> None:
    declared = load_environment(PROJECT, environment)

    assert declared.settings.environment == declared.rollout.environment == environment
    assert (declared.settings.stub_provider is not None) == (environment == "dev")


def test_mistakes_in_all_files_of_an_environment_show_at_once(project: Path) -> None:
    (project / "registry" / "rollouts").mkdir(parents=True)
    (project / "registry" / "models.yaml").write_text("version: 1\nproviders: {}\n")
    (project / "registry" / "rollouts" / "dev.yaml").write_text("version: 1\nenabled: maybe\nagents: {}\n")
    Path("Pulumi.dev.yaml").write_text(RIGHT.replace("replicas: 2", "replicas: two"))

    with pytest.raises(InvalidRegistry, match="refused") as refused:
        load_environment(project, "dev")

    assert {finding.file for finding in refused.value.findings} == {
        "Pulumi.dev.yaml",
        "registry/models.yaml",
        "registry/rollouts/dev.yaml",
    }
