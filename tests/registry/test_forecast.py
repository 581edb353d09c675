"""What a month costs: the fine-tuned models' part, which the cap is about, and the others' apart from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.registry import load_registry, load_rollout
from sluice.registry.forecast import AgentForecast, forecast

MODELS = """\
version: 1
providers:
  mistral: {api: https://api.mistral.ai/v1, key: mistral-api-key}
  openai: {api: https://api.openai.com/v1, key: openai-api-key}
models:
  qa-1:
    provider: mistral
    id: ft-qa-1
    base: open-mistral-7b
    price: {input: 0.001, output: 0.001}
    training: {examples: 5000, cost: 1.20, jobs: [{id: a1, status: SUCCESS}]}
    benchmark: {date: 2025-11-01, tests: 10, score: 8.03, baseline: 7.0}
  gpt-4o: {provider: openai, id: gpt-4o, price: {input: 0.01, output: 0.01}}
agents:
  qa:
    summary: unit tests
    baseline: [gpt-4o]
    traffic: {requests_per_month: 1000, input_tokens: 500, output_tokens: 500}
"""


def forecast_of(agents: str, folder: Path) -> AgentForecast:
    (folder / "rollouts").mkdir()
    (folder / "models.yaml").write_text(MODELS)
    (folder / "rollouts" / "dev.yaml").write_text(f"version: 1\nenabled: true\nagents: {agents}\n")
    registry = load_registry(folder)
    (one,) = forecast(registry, load_rollout(folder, "dev", registry))
    return one


@pytest.mark.parametrize(
    ("agents", "fine_tuned", "others"),
    [
        ("{qa: {candidate: qa-1, weight: 0}}", 0, 10),
        ("{qa: {candidate: qa-1, weight: 25, since: 2025-11-06}}", 0.25, 7.5),
        ("{qa: {candidate: qa-1, weight: 100, since: 2025-11-06}}", 1, 0),
        ("{qa: {baseline: [qa-1, gpt-4o]}}", 1, 0),  # graduated
        ("{}", 0, 10),
    ],
)
def test_baselines_are_forecast_apart_from_what_the_cap_counts(
    agents: str, fine_tuned: float, others: float, tmp_path: Path
) -> None:
    one = forecast_of(agents, tmp_path)

    assert one.fine_tuned_dollars == pytest.approx(fine_tuned)
    assert one.other_dollars == pytest.approx(others)
