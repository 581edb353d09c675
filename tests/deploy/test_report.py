"""What a report gathers from the cluster: who set and lifted overrides, and the worst answers of all agents."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from sluice.deploy import report
from sluice.deploy.cluster_access import ClusterAccess
from sluice.local.folders import PROJECT
from sluice.override import Override
from sluice.registry import load_environment
from sluice.rollout.override_map import LIFTED, read_override_map
from tests.rollout.made_cluster import NAMESPACE, MadeCluster, NoAnswer
from tests.rollout.report_examples import DAY, SINCE, UNTIL, material

_AT = "2025-11-10T10:00:00Z"


def test_an_override_that_holds_and_each_that_was_lifted_are_told_with_names() -> None:
    was = Override(0, by="guard", reason="errors", at="2025-11-08T09:00:00Z").text
    lifted = [{"key": "legal", "by": "Ada Example", "reason": "mended", "at": _AT, "was": was}]
    cluster = MadeCluster(
        override={"qa": Override(0, by="guard", reason="points", at=_AT).text, "content": "0"},
        annotations={LIFTED: json.dumps(lifted)},
    )

    notes = list(report.notes_of(read_override_map(cluster, NAMESPACE)))

    assert [(note.key, note.by, note.reason, note.lifted) for note in notes] == [
        ("qa", "guard", "points", False),
        ("legal", "guard", "errors", False),
        ("legal", "Ada Example", "mended", True),
    ]


def made(monkeypatch: pytest.MonkeyPatch, kept: Any) -> Any:
    """Gather a report of dev whose Prometheus and gateway are made."""
    monkeypatch.setattr(report, "ask", lambda prometheus, question: material(notes=None, worst=None))
    monkeypatch.setattr(report, "kept", kept)
    monkeypatch.setattr(report, "read_override_map", lambda cluster, asked: read_override_map(cluster, NAMESPACE))
    return report.report_of(lambda: cast("ClusterAccess", MadeCluster()), "dev", 7, "http://127.0.0.1:9", UNTIL)


def query(agent: str, score: float, days_before: float) -> dict[str, Any]:
    at = (UNTIL - days_before * DAY).timestamp()
    about = {"agent": agent, "arm": "candidate", "model": "m", "outcome": "ok", "why": "", "at_seconds": at}
    return {**about, "question": f"{agent}?", "answer": "!", "score": score}


def test_the_worst_of_all_agents_are_listed_worst_first_and_no_more_than_the_registry_wants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kept(cluster: object, namespace: str, arguments: list[str]) -> list[dict[str, Any]]:
        agent = arguments[1]
        return [query(agent, 1.0 + number / 10 + (agent != "qa"), 1) for number in range(6)] + [
            query(agent, 0.0, (UNTIL - SINCE) / DAY + 1)  # before the report begins
        ]

    found = made(monkeypatch, kept)

    assert len(found.worst) == load_environment(PROJECT, "dev").registry.report.worst_queries == 10
    assert [one.agent for one in found.worst[:6]] == ["qa"] * 6
    assert [one.score for one in found.worst] == sorted(one.score for one in found.worst)
    assert found.missing == ()


def test_a_gateway_that_does_not_answer_costs_the_worst_answers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(cluster: object, namespace: str, arguments: list[str]) -> list[dict[str, Any]]:
        raise NoAnswer("no gateway pod is ready")

    found = made(monkeypatch, kept)

    assert found.worst is None
    assert found.missing == ("the worst answers: no gateway pod is ready",)
    assert found.agents


def test_an_override_for_one_candidate_is_told_for_which_with_those_it_replaced() -> None:
    first = Override(0, "guard", "errors", at="2025-11-08T09:00:00Z", candidate="qa-1")
    second = Override(0, "guard", "points", at=_AT, candidate="qa-2").over(first)
    cluster = MadeCluster(override={"qa": second.text})

    notes = list(report.notes_of(read_override_map(cluster, NAMESPACE)))

    assert [(note.candidate, note.reason, note.lifted) for note in notes] == [
        ("qa-2", "points", False),
        ("qa-1", "errors", False),
    ]
