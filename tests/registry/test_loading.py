from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from sluice.registry import (
    AgentRollout,
    Benchmark,
    InvalidRegistry,
    JobStatus,
    Model,
    Price,
    Training,
    TrainingJob,
    check,
    load_registry,
    load_rollout,
)

PROJECT = Path(__file__).parent.parent.parent
RIGHT = Path(__file__).parent / "right"


def test_a_model_is_loaded_with_everything_its_file_says() -> None:
    assert load_registry(RIGHT).models["qa-20251031"] == Model(
        name="qa-20251031",
        provider="mistral",
        id="ft:open-mistral-7b:5010731d:20251031:ecc3829c",
        base="open-mistral-7b",
        price=Price(0.0008, 0.0008),
        training=Training(5000, 1.2, (TrainingJob("ecc3829c", JobStatus.SUCCESS),)),
        benchmark=Benchmark(date(2025, 11, 1), 10, 8.03, 7.0),
    )


def test_a_rollout_has_every_agent_and_those_it_does_not_name_are_on_their_baseline() -> None:
    rollout = load_rollout(RIGHT, "dev", load_registry(RIGHT))

    assert dict(rollout.agents) == {
        "qa": AgentRollout("qa", "qa-20251031", 10, date(2025, 11, 6), ("gpt-4o",)),
        "legal": AgentRollout("legal", None, 0, None, ("gpt-4o",)),
    }


def test_a_graduated_model_leads_the_baselines_of_its_environment_alone(tmp_path: Path) -> None:
    shutil.copytree(RIGHT, tmp_path / "registry")
    file = tmp_path / "registry" / "rollouts" / "dev.yaml"
    file.write_text("version: 1\nenabled: true\nagents:\n  qa: {baseline: [qa-20251031, gpt-4o]}\n")
    registry = load_registry(tmp_path / "registry")

    rollout = load_rollout(tmp_path / "registry", "dev", registry)

    assert rollout.agents["qa"] == AgentRollout("qa", None, 0, None, ("qa-20251031", "gpt-4o"))
    assert registry.agents["qa"].baseline == ("gpt-4o",)


def test_nobody_is_wanted_on_a_candidate_while_the_kill_switch_is_off(tmp_path: Path) -> None:
    shutil.copytree(RIGHT, tmp_path / "registry")
    file = tmp_path / "registry" / "rollouts" / "dev.yaml"
    file.write_text(file.read_text().replace("enabled: true", "enabled: false"))

    rollout = load_rollout(tmp_path / "registry", "dev", load_registry(tmp_path / "registry"))

    assert rollout.agents["qa"].weight_percent == 10
    assert rollout.wanted_weight_percent("qa") == 0


def test_an_environment_without_a_rollout_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(
        InvalidRegistry, match=r"rollouts/test\.yaml:1:1: does not exist; the environments with a rollo"
    ):
        load_rollout(RIGHT, "test", load_registry(RIGHT))


def test_the_projects_own_registry_is_valid_and_holds_the_five_agents() -> None:
    registry = load_registry(PROJECT / "registry")

    assert check(PROJECT / "registry", today=date(2025, 11, 20)) == ()
    assert list(registry.agents) == ["qa", "content", "legal", "support", "analyst"]
    assert all(agent.baseline == ("gpt-4o", "claude-sonnet-4") for agent in registry.agents.values())


def test_every_fine_tuned_model_of_the_project_ends_in_a_job_that_succeeded() -> None:
    models = load_registry(PROJECT / "registry").models.values()
    scores = {model.name: model.benchmark.score for model in models if model.benchmark}

    assert {model.name for model in models if model.training} == scores.keys()
    for model in models:
        if model.training:
            assert model.training.jobs[-1].status is JobStatus.SUCCESS
            assert model.id.endswith(model.training.jobs[-1].id[:8])
    assert scores == {
        "qa-20251031": 8.03,
        "content-20251031": 8.05,
        "legal-20251031": 8.20,
        "support-20251031": 8.50,
        "analyst-20251031": 8.00,
    }
