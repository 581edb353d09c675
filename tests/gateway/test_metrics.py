from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sluice.gateway.outcome import Outcome
from sluice.gateway.screening.families import load_families

pytestmark = pytest.mark.anyio

NAMES_AND_LABELS = {
    "sluice_hand_over_total": {"agent"},
    "sluice_off_path_dropped_total": {"kind"},
    "sluice_off_path_waiting": set(),
    "sluice_review_pending": {"agent"},
    "sluice_quality_score_bucket": {"agent", "arm", "dimension", "le"},
    "sluice_quality_score_count": {"agent", "arm", "dimension"},
    "sluice_quality_score_sum": {"agent", "arm", "dimension"},
    "sluice_cache_total": {"agent", "result"},
    "sluice_requests_total": {"agent", "arm", "outcome"},
    "sluice_slow_answers_total": {"agent", "arm"},
    "sluice_benchmark_score": {"agent"},
    "sluice_estimate_day_dollars": {"agent"},
    "sluice_saving_asked": {"agent"},
    "sluice_provider_key_hash": {"provider"},
    "sluice_request_duration_seconds_bucket": {"agent", "arm", "le"},
    "sluice_request_duration_seconds_sum": {"agent", "arm"},
    "sluice_request_duration_seconds_count": {"agent", "arm"},
    "sluice_tokens_total": {"agent", "arm", "direction"},
    "sluice_cost_dollars_total": {"agent", "arm"},
    "sluice_rollout_weight": {"agent", "kind"},
    "sluice_requests_without_user_total": {"agent"},
    "sluice_usage_estimated_total": {"agent", "arm"},
    "sluice_model_failures_total": {"model"},
    "sluice_breaker_open": {"agent"},
    "sluice_flags_loaded_timestamp_seconds": set(),
    "sluice_flags_broken": set(),
    "sluice_flags_source": {"source"},
    "sluice_cluster_heard_timestamp_seconds": set(),
    "sluice_override_active": {"agent"},
    "sluice_override_broken": set(),
    "sluice_limited_total": {"agent", "limit"},
    "sluice_requests_in_flight": set(),
    "sluice_screened_total": {"agent", "family"},
    "sluice_spend_dollars": {"agent", "window", "models"},
    "sluice_users_total": {"agent", "arm", "per"},
    "sluice_failing_users_total": {"agent", "arm"},
}
ALLOWED = {
    "agent": {"qa", "legal", "unknown", "all"},
    "arm": {"candidate", "baseline", "none"},
    "outcome": {"ok", "error", "fallback", "rejected"},
    "model": {"gpt-4o", "claude-sonnet-4", "qa-20251031", "legal-20251031"},
    "direction": {"input", "output"},
    "kind": {"wanted", "allowed", "served", "score", "review", "capture", "judge", "cache", "users"},
    "source": {"watch", "file"},
    "result": {"hit", "miss", "skipped"},
    "dimension": {"overall", "quality", "relevance", "format", "specificity"},
    "family": {family.id for family in load_families()},
    "window": {"day", "month"},
    "provider": {"openai", "anthropic", "mistral"},
    "models": {"all", "fine_tuned"},
    "per": {"rollout", "step"},
    "limit": {"agent_rate", "caller_rate", "provider_rate", "overload", "spend"},
}


def _samples(running: Any) -> list[Any]:
    text = generate_latest(running.gateway.metrics.registry).decode()
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("sluice_")
    ]


async def test_names_and_labels_are_those_of_the_design_whatever_callers_send(start: Any, stub: str) -> None:
    running = await start(stub, configured={"cache": {"keep": 60}})
    for agent in ("qa", "legal", "no-such", "x" * 5000, "sluice", '{agent="qa"}'):
        for user in ("alice", "someone@example.com", "x" * 5000):
            ask = {"model": agent, "user": user, "messages": [{"role": "user", "content": "text of a message"}]}
            async with running.post(ask, **{"x-user-id": "header-user"}) as response:
                await response.read()
    samples = _samples(running)
    assert {sample.name: set(sample.labels) for sample in samples} == NAMES_AND_LABELS
    values: dict[str, set[str]] = {}
    for sample in samples:
        for label, value in sample.labels.items():
            values.setdefault(label, set()).add(value)
    values.pop("le")
    assert all(found <= ALLOWED[label] for label, found in values.items())


async def test_series_of_known_agents_exist_before_the_first_request(start: Any, stub: str) -> None:
    running = await start(stub)
    served = {
        (sample.labels["agent"], sample.labels["arm"], sample.labels["outcome"])
        for sample in _samples(running)
        if sample.name == "sluice_requests_total"
    }
    arms = ("candidate", "baseline")
    with_arm = {(agent, arm, outcome) for agent in ("qa", "legal") for arm in arms for outcome in Outcome}
    agents, outcomes = ("qa", "legal", "unknown"), ("rejected", "error")
    assert served == with_arm | {(agent, "none", outcome) for agent in agents for outcome in outcomes}


async def test_the_limits_of_a_rollout_are_edges_of_buckets(start: Any, stub: str) -> None:
    running = await start(stub)
    edges = {sample.labels["le"] for sample in _samples(running) if sample.name.endswith("_bucket")}
    assert {"2.0", "5.0", "10.0"} <= edges


async def test_requests_without_a_user_are_counted_and_get_the_baseline(start: Any, stub: str, eventually: Any) -> None:
    running = await start(stub)
    running.mounted.write_flags(qa=100)
    running.refresh()
    ask = {"model": "qa", "messages": [{"role": "user", "content": "hello"}]}
    async with running.post(ask) as response:
        assert response.headers["x-sluice-arm"] == "baseline"
    async with running.post(ask, authorization="Bearer a-callers-key") as response:
        assert response.headers["x-sluice-arm"] == "candidate"
    assert running.metric("sluice_requests_without_user_total", agent="qa") == 1
