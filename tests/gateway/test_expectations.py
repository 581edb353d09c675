"""What alerts hold measurements against: the candidate's benchmark, the day's estimate, and the goal for latency."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from sluice.gateway.agent_flag import AgentFlag, read_agent_flag
from sluice.gateway.configuration import Configuration, Model, Traffic, load_configuration
from sluice.gateway.expectations import Expectations, expectations
from sluice.gateway.flags import Flags
from sluice.gateway.metrics import Metrics, Record
from sluice.gateway.mounted_map import MapContent
from sluice.gateway.outcome import Arm, Outcome
from sluice.registry import load_environment
from sluice.registry.forecast import forecast
from sluice.render import render

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Configuration, dict[str, str]]:
    """What dev's gateway is given: its configuration and its flags, half of the users on every candidate."""
    declared = load_environment(PROJECT, "dev")
    objects = render(declared.registry, declared.rollout, declared.settings)
    file = tmp_path_factory.mktemp("config") / "gateway.json"
    (configuration,) = [one for one in objects.gateway if one.kind == "ConfigMap"]
    file.write_text(configuration.body["data"]["gateway.json"])
    return load_configuration(file), objects.flags[0].body["data"]


def test_the_gateway_shows_what_the_registry_forecasts_and_what_the_benchmarks_said(
    rendered: tuple[Configuration, dict[str, str]],
) -> None:
    configuration, flags = rendered
    metrics = Metrics(configuration.agents)

    Flags(configuration, metrics).take_flags({"flags": MapContent(flags)})

    declared = load_environment(PROJECT, "dev")
    month = {one.agent: one.fine_tuned_dollars for one in forecast(declared.registry, declared.rollout)}
    assert month, "nobody says what traffic is expected"
    for agent, rollout in declared.rollout.agents.items():
        benchmark = declared.registry.models[str(rollout.candidate)].benchmark
        assert benchmark is not None
        shown = metrics.registry.get_sample_value
        assert shown("sluice_benchmark_score", {"agent": agent}) == benchmark.score
        assert shown("sluice_estimate_day_dollars", {"agent": agent}) == pytest.approx(month[agent] / 30)
        assert shown("sluice_saving_asked", {"agent": agent}) == 1


def agent_flag(configuration: Configuration, weight: int, baseline: str = "gpt-4o") -> AgentFlag:
    key = {"cat": ["qa/qa-20251031/", {"var": "targetingKey"}]}
    shares = [["candidate", weight], ["baseline", 100 - weight]]
    document = {
        "state": "ENABLED",
        "variants": {"candidate": {"models": ["qa-20251031"]}, "baseline": {"models": [baseline]}},
        "defaultVariant": "baseline",
        "targeting": {"fractional": [key, *shares]} if weight else {},
        "metadata": {"weight": weight, "candidate": "qa-20251031"},
    }
    return read_agent_flag("qa", document, configuration.models)


def with_traffic(configuration: Configuration, traffic: Traffic | None) -> Configuration:
    agent = dataclasses.replace(configuration.agents["qa"], traffic=traffic)
    return dataclasses.replace(configuration, agents={**configuration.agents, "qa": agent})


def test_a_graduate_among_the_baselines_is_part_of_the_estimate(rendered: tuple[Configuration, dict[str, str]]) -> None:
    configuration = with_traffic(rendered[0], Traffic(30_000, 1000, 1000))  # 1,000 a day at 0.0016 dollars

    def estimate(weight: int, baseline: str) -> float:
        return expectations(agent_flag(configuration, weight, baseline), configuration).day_dollars

    assert estimate(25, "gpt-4o") == pytest.approx(0.40)
    assert estimate(0, "gpt-4o") == 0
    assert estimate(25, "content-20251031") == pytest.approx(1.60)


def test_no_saving_is_asked_beside_a_baseline_that_was_fine_tuned_itself(
    rendered: tuple[Configuration, dict[str, str]],
) -> None:
    asked = {
        baseline: expectations(agent_flag(rendered[0], 25, baseline), rendered[0]).saving_is_asked
        for baseline in ("gpt-4o", "content-20251031")
    }

    assert asked == {"gpt-4o": True, "content-20251031": False}


def test_without_expected_traffic_nothing_is_estimated(rendered: tuple[Configuration, dict[str, str]]) -> None:
    configuration = with_traffic(rendered[0], None)

    assert expectations(agent_flag(configuration, 50), configuration) == Expectations(8.03, 0.0, saving_is_asked=True)


def test_a_candidate_without_benchmark_shows_no_number() -> None:
    metrics = Metrics(["qa"])
    metrics.expected("qa", Expectations(8.03, 1.0, saving_is_asked=True))
    metrics.expected("qa", Expectations(None, 0.0, saving_is_asked=False))

    assert math.isnan(metrics.registry.get_sample_value("sluice_benchmark_score", {"agent": "qa"}) or 0)


def test_an_answer_later_than_the_agents_goal_is_slow_and_one_that_was_refused_never_is() -> None:
    metrics = Metrics(["qa", "legal"], goals_seconds={"qa": 2.5})
    for agent, outcome, seconds in [
        ("qa", Outcome.OK, 2.5),
        ("qa", Outcome.OK, 2.6),
        ("qa", Outcome.FALLBACK, 9.0),
        ("qa", Outcome.REJECTED, 9.0),
        ("legal", Outcome.OK, 60.0),
    ]:
        metrics.count(Record(agent, Arm.CANDIDATE, outcome), seconds)

    slow = {
        agent: metrics.registry.get_sample_value("sluice_slow_answers_total", {"agent": agent, "arm": "candidate"})
        for agent in ("qa", "legal")
    }
    assert slow == {"qa": 2, "legal": 0}


def test_model_prices_are_for_a_thousand_tokens(rendered: tuple[Configuration, dict[str, str]]) -> None:
    model: Model = rendered[0].models["gpt-4o"]

    assert model.dollars(2000, 1000) == pytest.approx(0.015)
