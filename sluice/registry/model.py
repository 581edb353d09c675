"""The registry as typed values: providers, models, agents, and what one environment rolls out.

These are what the rest of sluice works with once the files were checked; how they are read is the loader's business. A
secret is never in them: a provider names the secret that holds its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any

from sluice.registry.evidence import Evidence
from sluice.registry.policy import (
    AssignmentPolicy,
    Budgets,
    DimensionScores,
    Gates,
    Ladder,
    Policy,
    ReportPolicy,
    RollbackPolicy,
)
from sluice.registry.typed import NOT_IN_FILE, InFileAs


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


class Arm(StrEnum):
    """Which of an agent's two sides served a request."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"


class Dialect(StrEnum):
    """What a provider speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class StreamUsage(StrEnum):
    """When a provider's streams say how many tokens they took."""

    ON_REQUEST = "on_request"
    ALWAYS = "always"


class JobStatus(StrEnum):
    """How a training job of a provider ended, in the words of Mistral's API, which the first team's papers use."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    FAILED_VALIDATION = "FAILED_VALIDATION"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Tier:
    """What the account with a provider allows. `production` is false where no user may depend on it."""

    name: str
    production: bool
    jobs_at_once: int | None = None
    jobs: int | None = None
    cost_dollars_per_month: Annotated[float | None, InFileAs("cost_per_month")] = None


@dataclass(frozen=True, slots=True)
class Provider:
    """Who answers for a model: the address of an API, what it speaks, and the name of the secret with its key."""

    name: Annotated[str, NOT_IN_FILE]
    api: str
    key: str
    requests_per_second: int | None = None
    tier: Tier | None = None
    dialect: Dialect = Dialect.OPENAI
    stream_usage: StreamUsage = StreamUsage.ON_REQUEST


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in dollars per 1,000 tokens."""

    input_per_1k_tokens: Annotated[float, InFileAs("input")]
    output_per_1k_tokens: Annotated[float, InFileAs("output")]

    def of_request(self, input_tokens: int, output_tokens: int) -> float:
        """Return the dollars that a request costs."""
        return (input_tokens * self.input_per_1k_tokens + output_tokens * self.output_per_1k_tokens) / 1000


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One attempt to train a model."""

    id: str
    status: JobStatus


@dataclass(frozen=True, slots=True)
class Training:
    """How a model was fine-tuned: examples, dollars, every attempt, the last one last, and the evidence of its data."""

    examples: int
    cost_dollars: Annotated[float, InFileAs("cost")]
    jobs: tuple[TrainingJob, ...]
    audit: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether one of the attempts brought a model."""
        return any(job.status is JobStatus.SUCCESS for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a model scored, 0 to 10, over how many tests, beside the score of what it was compared with."""

    date: date
    tests: int
    score: float
    baseline: float
    dimensions: DimensionScores = DimensionScores()


@dataclass(frozen=True, slots=True)
class Model:
    """Something that answers; `id` is what its provider calls it, `name` what everybody else does.

    `retires` is the first day on which the provider no longer answers for it.
    """

    name: Annotated[str, NOT_IN_FILE]
    provider: str
    id: str
    base: str | None
    price: Price
    training: Training | None = None
    benchmark: Benchmark | None = None
    requests_per_second: int | None = None
    retires: date | None = None

    @property
    def fine_tuned(self) -> bool:
        """Whether it was made from another model, and so needs a training job that succeeded."""
        return self.training is not None or self.base is not None or self.id.startswith("ft:")


@dataclass(frozen=True, slots=True)
class Agent:
    """A job that callers name. `baseline` holds model names, in the order they are asked; at least one.

    `coupled_to` are agents that hold its way up while they are rolled back.
    """

    name: Annotated[str, NOT_IN_FILE]
    summary: str
    baseline: tuple[str, ...]
    coupled_to: tuple[str, ...] = ()
    policy: Annotated[Policy, NOT_IN_FILE] = Policy()


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything in models.yaml and in evidence/, by name, in the order of the file. Every reference in it exists."""

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    agents: Mapping[str, Agent]
    ladders: Mapping[str, Ladder] = field(default_factory=_nothing)
    budgets: Budgets = Budgets()
    gates: Gates = Gates()
    rollback: RollbackPolicy = RollbackPolicy()
    report: ReportPolicy = ReportPolicy()
    assignment: AssignmentPolicy = AssignmentPolicy()
    evidence: Annotated[Mapping[str, Evidence], NOT_IN_FILE] = field(default_factory=_nothing)

    def ladder_of(self, agent: str) -> Ladder:
        """Return the ladder that an agent's candidates climb; where none is named, one of every weight there is."""
        known = self.agents.get(agent)
        named = known.policy.ladder if known else None
        return self.ladders.get(named, Ladder()) if named else Ladder()


@dataclass(frozen=True, slots=True)
class AgentRollout:
    """What one environment says about one agent.

    `baseline` is the one that holds here: the environment's own where it has one, else the registry's.
    `weight_percent` is what the file says, 0 without a candidate; what is served also depends on `Rollout.enabled`.
    """

    agent: Annotated[str, NOT_IN_FILE]
    candidate: str | None
    weight_percent: Annotated[int, InFileAs("weight")]
    since: date | None
    baseline: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rollout:
    """What one environment rolls out: every agent of the registry, in its order, and the kill switch `enabled`."""

    environment: Annotated[str, NOT_IN_FILE]
    enabled: bool
    agents: Mapping[str, AgentRollout]

    def wanted_weight_percent(self, agent: str) -> int:
        """Return the percentage of the agent's users that git wants on the candidate: 0 for all when not enabled."""
        return self.agents[agent].weight_percent if self.enabled else 0
