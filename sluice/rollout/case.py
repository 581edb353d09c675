"""What is judged: one agent's rollout in one environment, with all that the judgement rests on and nothing else.

The registry is read here once; from then on a case is values only, so that it can be written down and judged again.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from types import MappingProxyType

from sluice.registry import Limits, Registry, Role, Rollout, Step
from sluice.registry.evidence import SignOff
from sluice.registry.forecast import forecast
from sluice.registry.judgement import Judgement
from sluice.registry.model import Model
from sluice.registry.policy import Freeze, MonthBudget, is_production
from sluice.rollout.measurements import Measurements


@dataclass(frozen=True, slots=True)
class RolledBack:
    """That this candidate was taken back. It stays so until a person resumes it.

    `at` is None where whoever wrote the override did not say. `another_ends_it` is whether another candidate is let in.
    """

    at: datetime | None
    by: str
    reason: str
    another_ends_it: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What happened to the rollout beside its measurements: a rollback that holds, or one that was lifted."""

    rolled_back: RolledBack | None = None
    resumed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One agent's rollout: where it stands in git, what it must keep to, and what was measured."""

    environment: str
    agent: str
    candidate: str
    baseline: str
    weight_percent: int
    since: datetime | None
    now: datetime
    steps: tuple[Step, ...]
    limits: Limits
    judgement: Judgement
    month: MonthBudget
    measurements: Measurements
    enabled: bool = True
    standing: Standing = field(default_factory=Standing)
    missing_sign_offs: tuple[str, ...] = ()
    freeze: str | None = None
    """Why no weight is raised today, None where it may be."""
    frozen_since: datetime | None = None
    saving_is_asked: bool = True
    """Whether the candidate must be so much cheaper than its baseline: not than one that was fine-tuned as it was."""
    next_month_dollars: float = 0.0
    """What fine-tuned models will cost a month once this agent has its next weight."""

    @property
    def next_weight_percent(self) -> int | None:
        """The next step, None after the last."""
        return next((step.weight_percent for step in self.steps if step.weight_percent > self.weight_percent), None)


class NoCandidate(ValueError):
    """An agent was asked about that has no candidate in an environment: there is nothing to judge."""

    def __init__(self, environment: str, agent: str) -> None:
        super().__init__(f"{environment}: {agent} has no candidate; name one in registry/rollouts/{environment}.yaml")


def case_of(
    registry: Registry,
    rollout: Rollout,
    agent: str,
    measurements: Measurements,
    now: datetime,
    standing: Standing | None = None,
) -> Case:
    """Gather what one agent's rollout is judged by. `now` has a time zone. Raises NoCandidate."""
    stands = rollout.agents[agent]
    if stands.candidate is None:
        raise NoCandidate(rollout.environment, agent)
    policy = registry.agents[agent].policy
    freeze = _freeze(registry, now.astimezone(UTC).date())
    case = Case(
        environment=rollout.environment,
        agent=agent,
        candidate=stands.candidate,
        baseline=stands.baseline[0],
        weight_percent=stands.weight_percent,
        since=datetime.combine(stands.since, time(), UTC) if stands.since else None,
        now=now,
        steps=registry.ladder_of(agent).steps,
        limits=policy.limits,
        judgement=policy.judgement,
        month=registry.budgets.month,
        measurements=measurements,
        enabled=rollout.enabled,
        standing=standing or Standing(),
        freeze=f"{freeze.reason}, until {freeze.last}" if freeze else None,
        saving_is_asked=not registry.models[stands.baseline[0]].fine_tuned,
        frozen_since=datetime.combine(freeze.first, time(), UTC) if freeze else None,
    )
    model = registry.models[stands.candidate]
    needs_papers = is_production(rollout.environment)
    return dataclasses.replace(
        case,
        missing_sign_offs=_missing_sign_offs(registry, agent, model, now.astimezone(UTC).date())
        if needs_papers
        else (),
        next_month_dollars=_forecast_at(registry, rollout, agent, case.next_weight_percent),
    )


def _freeze(registry: Registry, today: date) -> Freeze | None:
    return next((freeze for freeze in registry.gates.freezes if freeze.first <= today <= freeze.last), None)


def _missing_sign_offs(registry: Registry, agent: str, model: Model, today: date) -> tuple[str, ...]:
    """Say which sign-offs are not there, have ended or have an open condition; the best of each role counts."""
    roles = dict.fromkeys((*registry.gates.sign_offs, *registry.agents[agent].policy.safeguards.sign_offs))
    faults = ((role, _fault(registry, role, model, today)) for role in roles)
    return tuple(f"{role}: {fault}" for role, fault in faults if fault)


def _fault(registry: Registry, role: Role, model: Model, today: date) -> str | None:
    signed = [
        one.sign_off
        for one in registry.evidence.values()
        if one.sign_off and one.sign_off.role is role and one.sign_off.models.get(model.name) == model.id
    ]
    found = [_fault_of(sign_off, today) for sign_off in signed]
    return None if None in found else (found[-1] if found else "nobody signed")


def _fault_of(sign_off: SignOff, today: date) -> str | None:
    if sign_off.ends < today:
        return f"ended on {sign_off.ends}"
    unmet = next((condition.text for condition in sign_off.conditions if not condition.met), None)
    return f"condition not met: {unmet}" if unmet else None


def _forecast_at(registry: Registry, rollout: Rollout, agent: str, weight_percent: int | None) -> float:
    stands = rollout.agents[agent]
    raised = dataclasses.replace(
        stands, weight_percent=stands.weight_percent if weight_percent is None else weight_percent
    )
    then = dataclasses.replace(rollout, agents=MappingProxyType({**rollout.agents, agent: raised}))
    return sum(one.fine_tuned_dollars for one in forecast(registry, then))
