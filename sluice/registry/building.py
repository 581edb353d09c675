"""Builds the typed values of models.yaml, a rollout and the evidence from documents that were found right.

What the files leave out is filled in here: an agent's exceptions are laid over the defaults, a rollout gets every agent
of the registry, and an address gets the variables of the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sluice.registry.evidence import Evidence
from sluice.registry.model import Agent, AgentRollout, Model, Provider, Registry, Rollout
from sluice.registry.policy import AssignmentPolicy, Budgets, Gates, Ladder, Policy, ReportPolicy, RollbackPolicy, Step
from sluice.registry.typed import build, keys_of, unbuilt
from sluice.registry.variables import expanded

if TYPE_CHECKING:
    from sluice.registry.document import Document  # reads YAML, which is not to be had everywhere

_OPEN_TO_EXCEPTIONS = tuple(keys_of(Policy))


def registry_of_sections(data: Mapping[str, Any], evidence: Mapping[str, Evidence]) -> Registry:
    """Build a registry from the sections of a models.yaml; a section that is not there is empty or at its defaults."""
    defaults = data.get("defaults", {})
    usual = build(Policy, defaults)
    return Registry(
        providers=_entries(data, "providers", _provider),
        models=_entries(data, "models", lambda name, body: build(Model, {"base": None, **body}, name=name)),
        agents=_entries(data, "agents", lambda name, body: _agent(name, body, defaults, usual)),
        ladders=_entries(data, "ladders", lambda name, steps: Ladder(name, tuple(build(Step, step) for step in steps))),
        budgets=build(Budgets, data.get("budgets", {})),
        gates=build(Gates, data.get("gates", {})),
        rollback=build(RollbackPolicy, data.get("rollback", {})),
        report=build(ReportPolicy, data.get("report", {})),
        assignment=build(AssignmentPolicy, data.get("assignment", {})),
        evidence=evidence,
    )


def sections_of(registry: Registry) -> dict[str, Any]:
    """Return the sections of a models.yaml that builds this registry again, but for its providers and its evidence.

    What agents have in common stands in the defaults, so that its length is that of their differences.
    """
    policies = {name: unbuilt(agent.policy) for name, agent in registry.agents.items()}
    first: Mapping[str, Any] = next(iter(policies.values()), {})
    common = {
        field: value
        for field, value in first.items()
        if all(policy.get(field) == value for policy in policies.values())
    }
    return {
        "defaults": common,
        "models": unbuilt(registry.models),
        "agents": {
            name: {
                **unbuilt(agent),
                **{field: value for field, value in policies[name].items() if field not in common},
            }
            for name, agent in registry.agents.items()
        },
        "ladders": {name: unbuilt(ladder)["steps"] for name, ladder in registry.ladders.items()},
        **{name: unbuilt(getattr(registry, name)) for name in ("budgets", "gates", "rollback", "report", "assignment")},
    }


def rollout_of(document: Document, environment: str, registry: Registry) -> Rollout:
    """Build an environment's rollout from a file without findings, with every agent of the registry in it."""
    return rollout_of_agents(document.data["agents"], document.data["enabled"], environment, registry)


def rollout_of_agents(agents: Mapping[str, Any], enabled: bool, environment: str, registry: Registry) -> Rollout:
    """Build a rollout from what a file says of agents."""
    return Rollout(
        environment,
        enabled,
        MappingProxyType(
            {name: agent_rollout_of(agent, agents.get(name, {})) for name, agent in registry.agents.items()}
        ),
    )


def agent_rollout_of(agent: Agent, body: Mapping[str, Any]) -> AgentRollout:
    """Build what a rollout says of one agent; what it does not say comes from the registry."""
    unsaid = {"candidate": None, "weight": 0, "baseline": agent.baseline}
    given = {} if "since" in body else {"since": None}
    return build(AgentRollout, {**unsaid, **body}, agent=agent.name, **given)


def evidence_of(document: Document, name: str) -> Evidence:
    """Build a piece of evidence from a file without findings."""
    return build(Evidence, document.data, name=name)


def _provider(name: str, body: Mapping[str, Any]) -> Provider:
    return build(Provider, {**body, "api": expanded(body["api"])}, name=name)


def _agent(name: str, body: Mapping[str, Any], defaults: Mapping[str, Any], usual: Policy) -> Agent:
    exceptions = {field: body[field] for field in _OPEN_TO_EXCEPTIONS if field in body}
    policy = build(Policy, laid_over(defaults, exceptions)) if exceptions else usual
    return build(Agent, body, name=name, policy=policy)


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay exceptions over defaults, field by field and level by level; lists are replaced as a whole."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(under, dict) and isinstance(value, dict)
        merged[name] = laid_over(under, value) if both else value  # type: ignore[arg-type]
    return merged


def _entries(data: Mapping[str, Any], section: str, make: Any) -> MappingProxyType[str, Any]:
    return MappingProxyType({name: make(name, body) for name, body in data.get(section, {}).items()})
