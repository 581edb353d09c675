"""Rules about how models came to be: what serves users was trained, and was measured to be good enough."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum

from sluice.registry.findings import shown
from sluice.registry.model import Model
from sluice.registry.rules.declared import Declared
from sluice.registry.rules.rule import SOFTER_BEFORE_PRODUCTION, WARNING, Broken, Severities, rule


@rule(
    "SL040",
    "What answers was trained with success",
    wrong="models:\n  qa-20251031: {..., training: {..., jobs: [{id: 491d4d2c, status: FAILED_VALIDATION}]}}",
    right="training: {..., jobs: [{id: 491d4d2c, status: FAILED_VALIDATION}, {id: f997bebc, status: SUCCESS}]}",
)
def training_succeeded(declared: Declared) -> Iterator[Broken]:
    """A candidate or baseline that was fine-tuned has a training job that ended in SUCCESS.

    A job that failed or still runs has no model: every request to it would fail. Wait for the job and write its status,
    or name another model.
    """
    for file in declared.rollouts:
        for agent in file.rollout.agents.values():
            routed = [("candidate", agent.candidate)] if agent.candidate else []
            for field, name in (*routed, *(("baseline", name) for name in agent.baseline)):
                model = declared.registry.models.get(name)
                if model and model.training and not model.training.succeeded:
                    last = model.training.jobs[-1].status
                    yield Broken(
                        file.document,
                        ("agents", agent.agent, field),
                        f"{shown(name)} has no training job that succeeded; its last one is {last}",
                        "wait for the job and write its status, or name another model",
                        file.environment,
                        cause=name,
                    )


@rule(
    "SL041",
    "A fine-tuned candidate says how it was trained",
    severities=Severities(None, WARNING, SOFTER_BEFORE_PRODUCTION.production),
    wrong="models:\n  qa-20251031: {provider: mistral, id: 'ft:...', base: open-mistral-7b, price: {...}}",
    right="models:\n  qa-20251031: {..., training: {jobs: [{id: ecc3829c, status: SUCCESS}], ...}}",
)
def training_is_recorded(declared: Declared) -> Iterator[Broken]:
    """A fine-tuned candidate has `training`: without its jobs nobody can tell whether there is a model at all."""
    for file in declared.rollouts:
        for agent in file.candidates():
            model = declared.model_of(agent)
            if model and model.fine_tuned and model.training is None:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(model.name)} says nothing of its training",
                    f"add models.{model.name}.training to models.yaml",
                    file.environment,
                    cause=model.name,
                )


@rule(
    "SL042",
    "A candidate is benchmarked",
    severities=SOFTER_BEFORE_PRODUCTION,
    wrong="models:\n  qa-20251031: {provider: mistral, id: 'ft:...', price: {...}}",
    right="models:\n  qa-20251031: {..., benchmark: {date: 2025-11-01, tests: 10, score: 8.03, baseline: 7.0}}",
)
def candidate_is_benchmarked(declared: Declared) -> Iterator[Broken]:
    """A candidate has a `benchmark`: nobody is sent to a model of which it is not known what it is worth."""
    for file in declared.rollouts:
        for agent in file.candidates():
            model = declared.model_of(agent)
            if model and model.benchmark is None and model.name not in agent.baseline:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(model.name)} was never benchmarked",
                    f"add models.{model.name}.benchmark to models.yaml",
                    file.environment,
                    cause=model.name,
                )


@rule(
    "SL043",
    "A candidate is good enough by its benchmark",
    severities=SOFTER_BEFORE_PRODUCTION,
    wrong="benchmark: {date: 2025-11-01, tests: 10, score: 6.9, baseline: 7.0}",
    right="benchmark: {date: 2025-11-01, tests: 10, score: 8.03, baseline: 7.0}",
)
def candidate_scores_enough(declared: Declared) -> Iterator[Broken]:
    """A candidate that gets users scored what gates.benchmark.score asks for, and no less than its baseline."""
    least = declared.registry.gates.benchmark.score
    for file in declared.rollouts:
        for agent in file.serving():
            model = declared.model_of(agent)
            if not model or not model.benchmark:
                continue
            needed = max(least, model.benchmark.baseline)
            if model.benchmark.score < needed:
                whose = "gates.benchmark.score" if needed == least else "its baseline's"
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(model.name)} scored {model.benchmark.score:g} of 10",
                    f"the least is {needed:g}, {whose}",
                    file.environment,
                    cause=model.name,
                )


@rule(
    "SL044",
    "The candidates of an environment are good enough together",
    severities=Severities(None, WARNING, SOFTER_BEFORE_PRODUCTION.production),
    wrong="# the candidates of production score 8.4, 7.6 and 7.7; gates: {benchmark: {mean: 8.0}}",
    right="# the candidates of production score 8.4, 7.8 and 8.0",
)
def candidates_mean_is_enough(declared: Declared) -> Iterator[Broken]:
    """The mean score of all candidates that get users is at least gates.benchmark.mean."""
    least = declared.registry.gates.benchmark.mean
    for file in declared.rollouts:
        models = [declared.model_of(agent) for agent in file.serving()]
        scores = [model.benchmark.score for model in models if model and model.benchmark]
        mean = fsum(scores) / max(1, len(scores))
        if scores and round(mean, 6) < least:
            yield Broken(
                file.document,
                ("agents",),
                f"the candidates score {mean:.2f} of 10 on average",
                f"the least is {least:g}; take the weakest back to 0",
                file.environment,
                at_key=True,
            )


@rule(
    "SL045",
    "A model's id fits its base and its training job",
    severities=Severities(WARNING, WARNING, WARNING),
    wrong="id: ft:open-mistral-7b:5010731d:20251031:ecc3829c\nbase: mistral-small",
    right="id: ft:open-mistral-7b:5010731d:20251031:ecc3829c\nbase: open-mistral-7b",
)
def id_fits_the_model(declared: Declared) -> Iterator[Broken]:
    """An id of Mistral's form, ft:BASE:OWNER:DATE:JOB, names the base and begins the id of the job that succeeded.

    Where they differ, an id was copied from another model: users of one agent would get another agent's model.
    """
    if declared.models is None:
        return
    for model in declared.registry.models.values():
        parts = model.id.split(":")
        if parts[0] != "ft" or len(parts) != 5:
            continue
        path = ("models", model.name, "id")
        if model.base is not None and parts[1] != model.base:
            yield Broken(
                declared.models, path, f"is made from {parts[1]}, and base is {model.base}", "mend one of them"
            )
        elif not _job_made_it(model, parts[4]):
            yield Broken(
                declared.models,
                path,
                f"ends in {parts[4]}, and no job that succeeded begins with that",
                "copy the id of this model's own job",
            )


def _job_made_it(model: Model, ending: str) -> bool:
    if model.training is None or not model.training.succeeded:
        return True
    return any(job.status == "SUCCESS" and job.id.startswith(ending) for job in model.training.jobs)


RULES = (
    training_succeeded,
    training_is_recorded,
    candidate_is_benchmarked,
    candidate_scores_enough,
    candidates_mean_is_enough,
    id_fits_the_model,
)
