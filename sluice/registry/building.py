"""Builds the typed values from documents that were found right.

It is the only place that knows both the fields of a file and the model, and so it is short when one of them changes.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Any

from sluice.registry.document import Document
from sluice.registry.model import (
    Agent,
    AgentRollout,
    Benchmark,
    JobStatus,
    Model,
    Price,
    Provider,
    Registry,
    Rollout,
    Training,
    TrainingJob,
)


def registry_of(document: Document) -> Registry:
    """Build the registry from a models.yaml without findings."""
    data = document.data
    return Registry(
        MappingProxyType({name: _provider(name, body) for name, body in data["providers"].items()}),
        MappingProxyType({name: _model(name, body) for name, body in data["models"].items()}),
        MappingProxyType(
            {name: Agent(name, body["summary"], tuple(body["baseline"])) for name, body in data["agents"].items()}
        ),
    )


def rollout_of(document: Document, environment: str, registry: Registry) -> Rollout:
    """Build an environment's rollout from a file without findings, with every agent of the registry in it."""
    agents = document.data["agents"]
    return Rollout(
        environment,
        document.data["enabled"],
        MappingProxyType(
            {name: _agent_rollout(agent, agents.get(name, {})) for name, agent in registry.agents.items()}
        ),
    )


def _provider(name: str, body: dict[str, Any]) -> Provider:
    return Provider(name, body["api"], body["key"], body.get("requests_per_second"))


def _model(name: str, body: dict[str, Any]) -> Model:
    return Model(
        name=name,
        provider=body["provider"],
        id=body["id"],
        base=body.get("base"),
        price=Price(float(body["price"]["input"]), float(body["price"]["output"])),
        training=_training(body["training"]) if "training" in body else None,
        benchmark=_benchmark(body["benchmark"]) if "benchmark" in body else None,
    )


def _training(body: dict[str, Any]) -> Training:
    jobs = tuple(TrainingJob(job["id"], JobStatus(job["status"])) for job in body["jobs"])
    return Training(int(body["examples"]), float(body["cost"]), jobs)


def _benchmark(body: dict[str, Any]) -> Benchmark:
    return Benchmark(
        date.fromisoformat(body["date"]), int(body["tests"]), float(body["score"]), float(body["baseline"])
    )


def _agent_rollout(agent: Agent, body: dict[str, Any]) -> AgentRollout:
    return AgentRollout(
        agent=agent.name,
        candidate=body.get("candidate"),
        weight_percent=int(body.get("weight", 0)),
        since=date.fromisoformat(body["since"]) if "since" in body else None,
        baseline=tuple(body.get("baseline", agent.baseline)),
    )
