"""The registry as typed values: providers, models, agents, and what one environment rolls out.

These are what the rest of sluice works with once the files were checked; how they are read is the loader's business. A
secret is never in them: a provider names the secret that holds its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

LADDER = (10, 25, 50, 75, 100)
"""The weights, in percent of an agent's users, that a rollout may stand at beside 0."""


class Arm(StrEnum):
    """Which of an agent's two sides served a request."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"


class JobStatus(StrEnum):
    """How a training job of a provider ended, in the words of Mistral's API, which the first team's papers use."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    FAILED_VALIDATION = "FAILED_VALIDATION"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who answers for a model: the address of an API in OpenAI's dialect, and the name of the secret with its key."""

    name: str
    api: str
    key: str
    requests_per_second: int | None


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in dollars per 1,000 tokens."""

    input_per_1k_tokens: float
    output_per_1k_tokens: float


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One attempt to train a model."""

    id: str
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Training:
    """How a model was fine-tuned: examples, dollars, and every attempt, the last one last."""

    examples: int
    cost_dollars: float
    jobs: tuple[TrainingJob, ...]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a model scored, 0 to 10, over how many tests, beside the score of what it was compared with."""

    date: date
    tests: int
    score: float
    baseline: float


@dataclass(frozen=True, slots=True)
class Model:
    """Something that answers; `id` is what its provider calls it, `name` what everybody else does."""

    name: str
    provider: str
    id: str
    base: str | None
    price: Price
    training: Training | None
    benchmark: Benchmark | None


@dataclass(frozen=True, slots=True)
class Agent:
    """A job that callers name. `baseline` holds model names, in the order they are asked; at least one."""

    name: str
    summary: str
    baseline: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything in models.yaml, by name, in the order of the file. Every reference in it exists."""

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    agents: Mapping[str, Agent]


@dataclass(frozen=True, slots=True)
class AgentRollout:
    """What one environment says about one agent.

    `baseline` is the one that holds here: the environment's own where it has one, else the registry's.
    `weight_percent` is what the file says, 0 without a candidate; what is served also depends on `Rollout.enabled`.
    """

    agent: str
    candidate: str | None
    weight_percent: int
    since: date | None
    baseline: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rollout:
    """What one environment rolls out: every agent of the registry, in its order, and the kill switch `enabled`."""

    environment: str
    enabled: bool
    agents: Mapping[str, AgentRollout]

    def wanted_weight_percent(self, agent: str) -> int:
        """Return the percentage of the agent's users that git wants on the candidate: 0 for all when not enabled."""
        return self.agents[agent].weight_percent if self.enabled else 0
