"""What an environment costs: its month, its steps, its training."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.registry import Registry, Rollout, load_registry, load_rollout
from sluice.registry.policy import TrainingBudget
from sluice.rollout.cost import Actual, EnvironmentCost, cost_of, training_of

REGISTRY = Path(__file__).parent.parent.parent / "registry"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(REGISTRY)


@pytest.fixture(scope="module")
def dev(registry: Registry) -> Rollout:
    return load_rollout(REGISTRY, "dev", registry)


@pytest.fixture(scope="module")
def found(registry: Registry, dev: Rollout) -> EnvironmentCost:
    return cost_of(registry, dev)


def test_a_month_is_requests_times_tokens_times_price_times_weight(found: EnvironmentCost) -> None:
    qa = found.agents[0]

    assert (qa.agent, qa.weight_percent, qa.requests) == ("qa", 50, 3000)
    assert qa.fine_tuned_dollars == pytest.approx(3000 * 0.5 * 3 * 0.0008)
    assert qa.other_dollars == pytest.approx(3000 * 0.5 * (2 * 0.0025 + 0.01))
    assert qa.saving_percent == pytest.approx(84)


def test_every_step_is_forecast_for_all_candidates(found: EnvironmentCost) -> None:
    by_weight = {step.weight_percent: step.fine_tuned_dollars for step in found.steps}

    assert by_weight == {weight: pytest.approx(0.36 * weight) for weight in (0, 10, 25, 50, 75, 100)}


def test_the_cap_counts_the_forecast_and_what_was_spent(registry: Registry, dev: Rollout) -> None:
    calm = Actual(datetime(2025, 11, 10, tzinfo=UTC), fine_tuned_dollars=20, all_dollars=90)
    spent = dataclasses.replace(calm, fine_tuned_dollars=101)

    assert cost_of(registry, dev, calm).is_under_the_cap
    assert not cost_of(registry, dev, spent).is_under_the_cap


def test_the_pace_is_that_of_the_time_that_has_passed_and_at_first_of_a_day() -> None:
    def ends(day: int, hour: int = 0) -> float:
        return Actual(datetime(2025, 11, day, hour, tzinfo=UTC), 18, 90).month_at_this_pace_dollars

    assert ends(10) == pytest.approx(60)  # nine days, and not the tenth that has just begun
    assert ends(10, 12) == pytest.approx(18 / 9.5 * 30)
    assert ends(1, 1) == pytest.approx(18 * 30)


def test_a_switched_off_environment_costs_nothing_now_and_its_steps_what_they_would(
    registry: Registry, dev: Rollout
) -> None:
    off = cost_of(registry, dataclasses.replace(dev, enabled=False))

    assert off.fine_tuned_dollars == 0
    assert off.steps[-1].fine_tuned_dollars == pytest.approx(36)


def test_an_agent_of_which_no_traffic_is_expected_is_named(registry: Registry, dev: Rollout) -> None:
    qa = registry.agents["qa"]
    silent = dataclasses.replace(qa, policy=dataclasses.replace(qa.policy, traffic=None))
    without = dataclasses.replace(registry, agents={**registry.agents, "qa": silent})

    assert cost_of(without, dev).agents_without_traffic == ("qa",)


@pytest.mark.parametrize(
    ("spent", "passed", "ahead"),
    [
        (7.4, (), 25),
        (7.5, (25,), 50),
        (10, (25,), 50),
        (15, (25, 50), 83),
        (24.9, (25, 50, 83), None),
        (31, (25, 50, 83), None),
    ],
)
def test_training_says_which_marks_of_its_budget_are_passed(
    spent: float, passed: tuple[float, ...], ahead: float | None, registry: Registry
) -> None:
    budgets = dataclasses.replace(registry.budgets, training=TrainingBudget(budget_dollars=30, spent_dollars=spent))

    training = training_of(dataclasses.replace(registry, budgets=budgets))

    assert (training.passed_percent, training.next_percent) == (passed, ahead)
    assert training.left_dollars == pytest.approx(30 - spent)


def test_what_the_models_cost_counts_where_less_was_written_down(registry: Registry) -> None:
    budgets = dataclasses.replace(registry.budgets, training=TrainingBudget(budget_dollars=30, spent_dollars=0))

    assert training_of(dataclasses.replace(registry, budgets=budgets)).spent_dollars == pytest.approx(6.0)
