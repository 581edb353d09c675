"""Checks what a schema cannot: that names lead somewhere, and that a rollout makes sense beside the models.

It looks at documents whose shape may still be wrong elsewhere, so that one mistake does not hide another: whatever has
the wrong shape is passed over here and found there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluice.registry.document import Document
from sluice.registry.findings import Finding, did_you_mean, shown
from sluice.registry.model import Registry
from sluice.registry.policy import LADDER


@dataclass(frozen=True, slots=True)
class Names:
    """The names that references may lead to: a provider with its key's secret, an agent with its baselines."""

    providers: Mapping[str, str]
    models: tuple[str, ...]
    agents: Mapping[str, tuple[str, ...]]

    @classmethod
    def in_document(cls, document: Document) -> Names:
        """Collect the names of a models.yaml that may still be wrong elsewhere."""
        return cls(
            {name: _text(document.get("providers", name, "key")) for name in document.mapping("providers")},
            tuple(document.mapping("models")),
            {name: _texts(document.get("agents", name, "baseline")) for name in document.mapping("agents")},
        )

    @classmethod
    def of(cls, registry: Registry) -> Names:
        """Collect the names of a registry."""
        return cls(
            {name: provider.key for name, provider in registry.providers.items()},
            tuple(registry.models),
            {name: agent.baseline for name, agent in registry.agents.items()},
        )


def check_models(document: Document) -> Iterator[Finding]:
    """Check that every model's provider and every agent's baseline exist."""
    names = Names.in_document(document)
    for model in names.models:
        provider = document.get("models", model, "provider")
        if isinstance(provider, str) and provider and provider not in names.providers:
            remedy = did_you_mean(provider, names.providers, of="providers")
            yield document.finding(
                ("models", model, "provider"), f"no provider is named {shown(provider)}", remedy, rule="SL030"
            )
    for agent in names.agents:
        yield from _check_models_exist(document, ("agents", agent, "baseline"), names)


def check_rollout(document: Document, names: Names) -> Iterator[Finding]:
    """Check that agents and models exist, that weights are steps, and that a candidate is not a baseline."""
    for agent in document.mapping("agents"):
        path = ("agents", agent)
        if agent not in names.agents:
            remedy = did_you_mean(agent, names.agents, of="agents")
            yield document.finding(path, f"no agent is named {shown(agent)}", remedy, rule="SL030", at_key=True)
        candidate = document.get(*path, "candidate")
        if isinstance(candidate, str) and candidate:
            yield from _check_candidate(document, agent, candidate, names)
        yield from _check_weight(document, agent)
        yield from _check_models_exist(document, (*path, "baseline"), names)


def _check_candidate(document: Document, agent: str, candidate: str, names: Names) -> Iterator[Finding]:
    path = ("agents", agent, "candidate")
    if candidate not in names.models:
        remedy = did_you_mean(candidate, names.models, of="models")
        yield document.finding(path, f"no model is named {shown(candidate)}", remedy, rule="SL030")
        return
    own = _texts(document.get("agents", agent, "baseline"))
    if candidate in (own or names.agents.get(agent, ())):
        problem = f"{shown(candidate)} is a baseline of {agent} already"
        yield document.finding(
            path, problem, "take out candidate, weight and since, or name another model", rule="SL032"
        )


def _check_weight(document: Document, agent: str) -> Iterator[Finding]:
    weight = document.get("agents", agent, "weight")
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 100:
        return
    if weight != 0 and weight not in LADDER:
        steps = ", ".join(map(str, LADDER))
        problem = f"{weight} is not a step of the ladder"
        yield document.finding(("agents", agent, "weight"), problem, f"the steps are {steps}", rule="SL031")


def _check_models_exist(document: Document, path: tuple[str, ...], names: Names) -> Iterator[Finding]:
    models = document.get(*path)
    for index, model in enumerate(models if isinstance(models, list) else []):
        if isinstance(model, str) and model and model not in names.models:
            remedy = did_you_mean(model, names.models, of="models")
            yield document.finding((*path, index), f"no model is named {shown(model)}", remedy, rule="SL030")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
