"""What rules look at: the documents of a registry folder, and the typed values of all that is sound in them.

An entry with a wrong shape is left out of the typed values, and found where shapes are checked; its name still counts
where others refer to it. So one mistake neither hides another nor makes a second finding.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from sluice.registry.building import agent_rollout_of, evidence_of, registry_of_sections
from sluice.registry.document import Document
from sluice.registry.evidence import Evidence
from sluice.registry.findings import Finding
from sluice.registry.model import AgentRollout, Model, Registry, Rollout
from sluice.registry.policy import AssignmentPolicy, Role

_SECTIONS_OF_ENTRIES = ("providers", "models", "ladders", "agents")
_SECTIONS_OF_FIELDS = ("defaults", "budgets", "gates", "rollback", "report", "assignment")
_NOT_BUILT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
_PART = re.compile(r"[.\[]|$")


@dataclass(frozen=True, slots=True)
class Names:
    """The names that references may lead to, wrong entries included: a provider with its key, an agent's baselines."""

    providers: Mapping[str, str]
    models: Mapping[str, None]
    agents: Mapping[str, tuple[str, ...]]
    ladders: Mapping[str, None] = field(default_factory=lambda: MappingProxyType({}))
    evidence: Mapping[str, None] | None = None

    @classmethod
    def in_document(cls, document: Document, evidence: Mapping[str, None] | None = None) -> Names:
        """Collect the names of a models.yaml that may still be wrong elsewhere, and of the files in evidence/."""
        return cls(
            {name: _text(document.get("providers", name, "key")) for name in document.mapping("providers")},
            dict.fromkeys(document.mapping("models")),
            {name: texts(document.get("agents", name, "baseline")) for name in document.mapping("agents")},
            dict.fromkeys(document.mapping("ladders")),
            evidence,
        )

    @classmethod
    def of(cls, registry: Registry) -> Names:
        """Collect the names of a registry."""
        return cls(
            {name: provider.key for name, provider in registry.providers.items()},
            dict.fromkeys(registry.models),
            {name: agent.baseline for name, agent in registry.agents.items()},
            dict.fromkeys(registry.ladders),
            dict.fromkeys(registry.evidence),
        )


@dataclass(frozen=True, slots=True)
class RolloutFile:
    """One rollouts/ENVIRONMENT.yaml; `before` is what the last commit says, None where that is not known."""

    environment: str
    document: Document
    rollout: Rollout
    before: Rollout | None = None

    def candidates(self) -> Iterator[AgentRollout]:
        """Yield the agents that name a candidate."""
        return (agent for agent in self.rollout.agents.values() if agent.candidate is not None)

    def serving(self) -> Iterator[AgentRollout]:
        """Yield the agents whose candidate gets users."""
        return (agent for agent in self.candidates() if self.rollout.wanted_weight_percent(agent.agent) > 0)


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything rules look at. `models` is None where the registry was loaded before; `today` where no day matters.

    `assignment_before` is what the last commit says, None where that is not known.
    """

    models: Document | None
    names: Names | None
    registry: Registry
    evidence: Mapping[str, Document]
    rollouts: tuple[RolloutFile, ...]
    today: date | None = None
    unreadable: tuple[Document, ...] = ()
    """Files that are not YAML, as text alone: what looks like a key is looked for in these too."""
    assignment_before: AssignmentPolicy | None = None
    queries: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The digest of each agent's queries for a soak, of those that have some."""
    gateways: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The digest of the gateway's image that an environment's settings name, of those that name one."""

    def model_of(self, agent: AgentRollout) -> Model | None:
        """Return an agent's candidate, None where there is none or where it is wrong itself."""
        return self.registry.models.get(agent.candidate) if agent.candidate else None

    def roles_for(self, agent: str) -> tuple[Role, ...]:
        """Return whose sign-offs an agent needs for production."""
        known = self.registry.agents.get(agent)
        own = known.policy.safeguards.sign_offs if known else ()
        return tuple(dict.fromkeys((*self.registry.gates.sign_offs, *own)))


def sound_registry(models: Document, findings: Collection[Finding], evidence: Mapping[str, Evidence]) -> Registry:
    """Build what is sound of a models.yaml whose shape has these findings."""
    if not findings:
        return registry_of_sections(models.data, evidence)
    data: dict[str, Any] = {
        section: models.get(section)
        for section in _SECTIONS_OF_FIELDS
        if isinstance(models.get(section), dict) and not _is_touched(section, findings)
    }
    entries: dict[str, Any] = {}
    for section in _SECTIONS_OF_ENTRIES:
        spoiled = _spoiled(models, section, findings)
        entries[section] = {name: body for name, body in models.mapping(section).items() if name not in spoiled}
    try:
        return registry_of_sections({**data, **entries}, evidence)
    except _NOT_BUILT:
        # A very odd name is cut short in a finding's path, and so not known from it.
        return registry_of_sections({**data, **_buildable(data, entries)}, evidence)


def sound_rollout(document: Document, environment: str, findings: Collection[Finding], registry: Registry) -> Rollout:
    """Build what is sound of a rollout whose shape has these findings: only sound agents are in it."""
    spoiled = _spoiled(document, "agents", findings) if findings else frozenset[str]()
    said = document.mapping("agents")
    agents = {}
    for name, agent in registry.agents.items():
        body = said.get(name, {})
        if name in spoiled or not isinstance(body, dict):
            continue
        try:
            agents[name] = agent_rollout_of(agent, body)
        except _NOT_BUILT:
            continue
    return Rollout(environment, document.get("enabled") is not False, MappingProxyType(agents))


def sound_evidence(documents: Mapping[str, Document], findings: Collection[Finding]) -> Mapping[str, Evidence]:
    """Build the evidence of every file that has no finding."""
    spoiled = {finding.file for finding in findings}
    return MappingProxyType(
        {name: evidence_of(document, name) for name, document in documents.items() if document.file not in spoiled}
    )


def _is_touched(section: str, findings: Collection[Finding]) -> bool:
    return any(re.match(rf"{section}([.\[]|$)", finding.path) for finding in findings)


def _spoiled(document: Document, section: str, findings: Collection[Finding]) -> frozenset[str]:
    """Return the entries of a section that have a finding. A name may hold dots, so every reading of a path counts."""
    entries = document.mapping(section)
    return frozenset(
        rest[: part.start()]
        for finding in findings
        if finding.path.startswith(f"{section}.")
        for rest in (finding.path.removeprefix(f"{section}."),)
        for part in _PART.finditer(rest)
        if rest[: part.start()] in entries
    )


def _buildable(data: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the entries of every section that can be built each by itself."""
    return {
        section: {name: body for name, body in bodies.items() if _can_be_built({**data, section: {name: body}})}
        for section, bodies in entries.items()
    }


def _can_be_built(data: Mapping[str, Any]) -> bool:
    try:
        registry_of_sections(data, MappingProxyType({}))
    except _NOT_BUILT:
        return False
    return True


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list that may be anything."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
