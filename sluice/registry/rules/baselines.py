"""Rules about what users fall back to: a baseline that answers, from somebody else than the candidate's provider."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sluice.registry.findings import shown
from sluice.registry.model import AgentRollout, Model
from sluice.registry.places import Steps
from sluice.registry.rules.declared import Declared, RolloutFile
from sluice.registry.rules.rule import (
    EVERYWHERE,
    SOFTER_BEFORE_PRODUCTION,
    WARNING_EVERYWHERE,
    Broken,
    LooksAt,
    rule,
)
from sluice.registry.typed import shown_duration

_SOON = timedelta(days=30)


@rule(
    "SL060",
    "A baseline is left that answers",
    severities=EVERYWHERE,
    looks_at=LooksAt.DAY,
    wrong="agents:\n  qa: {summary: tests, baseline: [claude-sonnet-4]}     # retires: 2026-06-15, and that is past",
    right="agents:\n  qa: {summary: tests, baseline: [gpt-4o]}",
)
def a_baseline_answers(declared: Declared) -> Iterator[Broken]:
    """At least one baseline of an agent is not retired by its provider.

    Where the last one is gone, a rollback has nothing to go back to: every request that the candidate cannot answer
    fails. Name a successor.
    """
    if declared.today is None:
        return
    for file in declared.rollouts:
        for agent in file.rollout.agents.values():
            models = [declared.registry.models.get(name) for name in agent.baseline]
            if all(model and _is_retired(model, declared.today) for model in models):
                own = bool(file.document.get("agents", agent.agent, "baseline"))
                document = file.document if own or declared.models is None else declared.models
                yield Broken(
                    document,
                    ("agents", agent.agent, "baseline"),
                    "every baseline is retired",
                    "name a model that still answers",
                    file.environment,
                )


@rule(
    "SL061",
    "What users may get is not about to retire",
    severities=WARNING_EVERYWHERE,
    looks_at=LooksAt.DAY,
    wrong="models:\n  claude-sonnet-4: {..., retires: 2026-06-15}     # and it is June, or later",
    right="# name a successor in baseline: before then, and take the model out of it",
)
def nothing_in_use_retires_soon(declared: Declared) -> Iterator[Broken]:
    """A model that is somebody's candidate or baseline does not retire within 30 days, and has not retired.

    While another baseline answers this warns, once for each model. A retired one costs every fallback a failed request.
    """
    if declared.today is None or declared.models is None:
        return
    used: dict[str, dict[str, None]] = {}
    for file in declared.rollouts:
        for agent in file.rollout.agents.values():
            for name in _used_and_not_found_by_another_rule(declared, file, agent):
                used.setdefault(name, {})[agent.agent] = None
    for name, agents in used.items():
        model = declared.registry.models.get(name)
        if model is None or model.retires is None or model.retires - declared.today > _SOON:
            continue
        when = "retired" if _is_retired(model, declared.today) else "retires"
        names = ", ".join(list(agents)[:5]) + (f" and {len(agents) - 5} more" if len(agents) > 5 else "")
        yield Broken(
            declared.models,
            ("models", name, "retires"),
            f"{shown(name)} {when} on {model.retires} and is used by {names}",
            "name a successor",
        )


@rule(
    "SL062",
    "A candidate that gets users is not retired",
    severities=EVERYWHERE,
    looks_at=LooksAt.DAY,
    wrong="models:\n  qa-20251031: {..., retires: 2025-10-31}     # the candidate, and it is November",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 0}",
)
def candidate_is_not_retired(declared: Declared) -> Iterator[Broken]:
    """A candidate with a weight above 0 is one that its provider still answers for."""
    if declared.today is None:
        return
    for file in declared.rollouts:
        for agent in file.serving():
            model = declared.model_of(agent)
            if model and _is_retired(model, declared.today):
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(model.name)} retired on {model.retires}",
                    "set weight: 0, or name another model",
                    file.environment,
                    cause=model.name,
                )


@rule(
    "SL063",
    "Candidate and baselines are not all of one provider",
    severities=SOFTER_BEFORE_PRODUCTION,
    wrong="# both are mistral's\nagents:\n  qa: {candidate: qa-20251031, weight: 10, baseline: [mistral-large]}",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 10, baseline: [mistral-large, gpt-4o]}",
)
def not_all_of_one_provider(declared: Declared) -> Iterator[Broken]:
    """One provider's outage must leave somebody who answers, so an agent's models come from two at least."""
    for file in declared.rollouts:
        for agent in file.candidates():
            models = [declared.registry.models.get(name) for name in (agent.candidate or "", *agent.baseline)]
            providers = {model.provider for model in models if model}
            if all(models) and len(providers) == 1 and agent.candidate not in agent.baseline:
                (provider,) = providers
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(agent.candidate)} and its baselines are all of {provider}",
                    "add a baseline of another provider",
                    file.environment,
                    cause=f"{provider} {' '.join(agent.baseline)}",
                )


@rule(
    "SL064",
    "A model that is used has a price",
    severities=EVERYWHERE,
    wrong="price: {input: 0, output: 0}",
    right="price: {input: 0.0008, output: 0.0008}",
)
def used_models_have_a_price(declared: Declared) -> Iterator[Broken]:
    """A price of nothing counts every request as free, and so no budget would ever be exceeded.

    For a model on machines of your own write what they cost for each 1,000 tokens.
    """
    if declared.models is None:
        return
    for model in declared.registry.models.values():
        if model.price.input_per_1k_tokens == 0 and model.price.output_per_1k_tokens == 0:
            path = ("models", model.name, "price")
            yield Broken(declared.models, path, "is nothing", "write dollars per 1,000 tokens, for example 0.0008")


@rule(
    "SL065",
    "Two models are not one model of a provider",
    wrong="models:\n  qa-20251031: {id: 'ft:...:ecc3829c', ...}\n  legal-20251031: {id: 'ft:...:ecc3829c', ...}",
    right="models:\n  legal-20251031: {id: 'ft:...:eb2da6b7', ...}",
)
def ids_are_not_shared(declared: Declared) -> Iterator[Broken]:
    """No two models have the same provider and id: one of them was copied, and its agent would get the other's model.

    Agents that mean to share a model name the same one.
    """
    if declared.models is None:
        return
    first: dict[tuple[str, str], str] = {}
    for model in declared.registry.models.values():
        owner = first.setdefault((model.provider, model.id), model.name)
        if owner != model.name:
            path = ("models", model.name, "id")
            problem = f"is the id of {shown(owner)} too"
            yield Broken(declared.models, path, problem, f"copy this model's own id, or use {owner} in its place")


@rule(
    "SL066",
    "Two agents do not share a candidate",
    severities=WARNING_EVERYWHERE,
    wrong="agents:\n  qa: {candidate: qa-20251031, weight: 10}\n  legal: {candidate: qa-20251031, weight: 10}",
    right="agents:\n  legal: {candidate: legal-20251031, weight: 10}",
)
def candidates_are_not_shared(declared: Declared) -> Iterator[Broken]:
    """In one environment a model is the candidate of one agent: it was fine-tuned for one job.

    Where one model is meant for two agents this warning is the price of noticing the accident.
    """
    for file in declared.rollouts:
        first: dict[str, str] = {}
        for agent in file.candidates():
            owner = first.setdefault(agent.candidate or "", agent.agent)
            if owner != agent.agent:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(agent.candidate)} is the candidate of {owner} too",
                    "name this agent's own model",
                    file.environment,
                )


@rule(
    "SL067",
    "A candidate is not its own judge",
    wrong="agents:\n  qa: {scoring: {judge: {model: qa-20251031, budget_per_day: 0.5}}, ...}   # the candidate",
    right="agents:\n  qa: {scoring: {judge: {model: gpt-4o, budget_per_day: 0.5}}, ...}",
)
def candidates_do_not_judge_themselves(declared: Declared) -> Iterator[Broken]:
    """The model that judges an agent's answers is not the candidate whose answers are compared with the baseline's.

    Models like their own answers best. The gateway does not ask such a judge. A baseline may judge, which flatters the
    baseline rather than the candidate; best is a model that answers for neither arm.
    """
    if declared.models is None:
        return
    for agent in declared.registry.agents.values():
        judge = agent.policy.scoring.judge
        rollouts = {file.environment: file.rollout.agents.get(agent.name) for file in declared.rollouts}
        where = [name for name, rollout in rollouts.items() if judge and rollout and rollout.candidate == judge.model]
        if judge is not None and where:
            own: Steps = ("agents", agent.name, "scoring", "judge", "model")
            path = own if declared.models.get(*own) else ("defaults", "scoring", "judge", "model")
            problem = f"{shown(judge.model)} is the candidate of {agent.name} in {', '.join(where)}"
            yield Broken(declared.models, path, problem, "name a model that answers for neither arm, or a baseline")


@rule(
    "SL068",
    "A hedge comes before the fall-back, in both arms",
    wrong="defaults: {deadline: 60s, hedge_after: 30s}",
    right="defaults: {deadline: 60s, hedge_after: 8s}",
)
def hedges_are_early_and_of_both_arms(declared: Declared) -> Iterator[Broken]:
    """hedge_after is less than half of the deadline, and an agent that has it and a candidate has two baselines.

    After half of the deadline the next model is asked anyway, in place of the slow one. A single baseline has nobody
    beside it: then the candidate's slow answers would count as fall-backs, and the baseline's as good ones.
    """
    if declared.models is None:
        return
    for agent in declared.registry.agents.values():
        after, deadline = agent.policy.hedge_after, agent.policy.deadline
        if after and after * 2 >= deadline:
            own: Steps = ("agents", agent.name, "hedge_after")
            path = own if declared.models.get(*own) else ("defaults", "hedge_after")
            problem = f"{shown_duration(after)} is not less than half of the deadline of {shown_duration(deadline)}"
            remedy = "after that the next model is asked anyway; write less, or 0s for no hedging"
            yield Broken(declared.models, path, problem, remedy, cause=f"{path} {problem}")
    for file in declared.rollouts:
        for rollout in file.candidates():
            if declared.registry.agents[rollout.agent].policy.hedge_after and len(rollout.baseline) == 1:
                path = ("agents", rollout.agent, "baseline")
                document = file.document if file.document.get(*path) else declared.models
                problem = "is one model: the candidate would be hedged by it, and it by nobody"
                remedy = f"name a second, or write hedge_after: 0s for {rollout.agent}"
                yield Broken(document, path, problem, remedy, file.environment, cause=f"{document.file} {path}")


def _used_and_not_found_by_another_rule(declared: Declared, file: RolloutFile, agent: AgentRollout) -> Iterator[str]:
    """Yield an agent's models, but not those whose retirement is an error by SL060 or SL062."""
    models, today = declared.registry.models, declared.today or date.max
    retired = {
        name for name in (agent.candidate or "", *agent.baseline) if name in models and _is_retired(models[name], today)
    }
    if agent.candidate and not (agent.candidate in retired and file.rollout.wanted_weight_percent(agent.agent) > 0):
        yield agent.candidate
    if not retired.issuperset(agent.baseline):
        yield from agent.baseline


def _is_retired(model: Model, today: date) -> bool:
    return model.retires is not None and model.retires <= today


RULES = (
    a_baseline_answers,
    nothing_in_use_retires_soon,
    candidate_is_not_retired,
    not_all_of_one_provider,
    used_models_have_a_price,
    ids_are_not_shared,
    candidates_are_not_shared,
    candidates_do_not_judge_themselves,
    hedges_are_early_and_of_both_arms,
)
