"""Rules about names: whatever a file refers to exists.

They look at the documents themselves, so that a reference is followed from an entry that is wrong elsewhere too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sluice.registry.document import Document
from sluice.registry.findings import choices, did_you_mean, shown
from sluice.registry.places import Steps
from sluice.registry.rules.declared import Declared, Names
from sluice.registry.rules.rule import Broken, rule


@rule(
    "SL030",
    "A name that is referred to exists",
    wrong="agents:\n  qa: {summary: tests, baseline: [gpt-4]}     # models.yaml has gpt-4o",
    right="agents:\n  qa: {summary: tests, baseline: [gpt-4o]}",
)
def references_exist(declared: Declared) -> Iterator[Broken]:
    """A model names its provider and its audit, a rollout agents and models.

    An agent names its baselines, its ladder, its judge, and agents that it is coupled to.

    A name that leads nowhere would send users to a model that does not exist, or leave an agent without one. Write the
    name as it stands in models.yaml, or add what is missing there; evidence is named by its file without .yaml.
    """
    names = declared.names
    if names is None:
        return
    if declared.models is not None:
        yield from _in_models(declared.models, names)
    for file in declared.rollouts:
        yield from _in_rollout(file.document, file.environment, names)


def _in_models(document: Document, names: Names) -> Iterator[Broken]:
    for model in names.models:
        provider: Steps = ("models", model, "provider")
        yield from _one(document, provider, document.get(*provider), names.providers, "provider")
        if names.evidence is not None:
            audit = ("models", model, "training", "audit")
            yield from _one(document, audit, document.get(*audit), names.evidence, "file in evidence")
    for agent in names.agents:
        yield from _each(document, ("agents", agent, "baseline"), names.models, "model")
        yield from _each(document, ("agents", agent, "coupled_to"), names.agents, "agent")
        ladder: Steps = ("agents", agent, "ladder")
        yield from _one(document, ladder, document.get(*ladder), names.ladders, "ladder")
        judge: Steps = ("agents", agent, "scoring", "judge", "model")
        yield from _one(document, judge, document.get(*judge), names.models, "model")
    ladder = ("defaults", "ladder")
    yield from _one(document, ladder, document.get(*ladder), names.ladders, "ladder")
    judge = ("defaults", "scoring", "judge", "model")
    yield from _one(document, judge, document.get(*judge), names.models, "model")


def _in_rollout(document: Document, environment: str, names: Names) -> Iterator[Broken]:
    for agent in document.mapping("agents"):
        path = ("agents", agent)
        if agent not in names.agents:
            remedy = did_you_mean(agent, names.agents, of="agents")
            problem, cause = f"no agent is named {shown(agent)}", f"agent {agent}"
            yield Broken(document, path, problem, remedy, environment, at_key=True, cause=cause)
        candidate = (*path, "candidate")
        yield from _one(document, candidate, document.get(*candidate), names.models, "model", environment)
        yield from _each(document, (*path, "baseline"), names.models, "model", environment)


def _each(
    document: Document, path: Steps, known: Iterable[str], noun: str, environment: str | None = None
) -> Iterator[Broken]:
    named = document.get(*path)
    for index, name in enumerate(named if isinstance(named, list) else []):
        yield from _one(document, (*path, index), name, known, noun, environment)


def _one(
    document: Document, path: Steps, name: object, known: Iterable[str], noun: str, environment: str | None = None
) -> Iterator[Broken]:
    """Follow one reference; what is no text, or an empty one, is a mistake of shape."""
    if not isinstance(name, str) or not name or name in known:
        return
    plural = f"{noun}s" if " " not in noun else noun.replace("file", "files")
    remedy = did_you_mean(name, known, of=plural) if known else choices((), of=plural)
    problem, cause = f"no {noun} is named {shown(name)}", f"{noun} {name}"
    yield Broken(document, path, problem, remedy, environment, cause=cause)


RULES = (references_exist,)
