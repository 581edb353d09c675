"""Rules about weights: every candidate climbs its ladder step by step, from the first to the last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from sluice.registry.findings import choices, shown
from sluice.registry.model import AgentRollout, Rollout
from sluice.registry.policy import LADDER, is_production
from sluice.registry.rules.declared import Declared
from sluice.registry.rules.rule import ERROR, GATE, WARNING, Broken, LooksAt, Severities, rule
from sluice.registry.typed import shown_duration


@rule(
    "SL031",
    "A weight is a step of the ladder",
    wrong="agents:\n  qa: {candidate: qa-20251031, weight: 30}",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 25}",
)
def weight_is_a_step(declared: Declared) -> Iterator[Broken]:
    """The weight of a candidate is 0 or a step of the agent's ladder.

    Gates, hold times and the comparison of the arms are made for the steps; a weight between two of them has none of
    its own. An agent without a ladder may stand at any of 10, 25, 50, 75 and 100; a step of another agent's
    ladder is only a warning outside production.
    """
    for file in declared.rollouts:
        for agent in file.candidates():
            steps = declared.registry.ladder_of(agent.agent).weights_percent
            if agent.weight_percent != 0 and agent.weight_percent not in steps:
                problem = f"{agent.weight_percent} is not a step of the ladder"
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "weight"),
                    problem,
                    choices(map(str, steps), of="steps"),
                    file.environment,
                    severity=WARNING
                    if agent.weight_percent in LADDER and not is_production(file.environment)
                    else None,
                )


@rule(
    "SL032",
    "A candidate is not a baseline of the same agent",
    wrong="agents:\n  qa: {candidate: qa-20251031, weight: 10, baseline: [qa-20251031, gpt-4o]}",
    right="agents:\n  qa: {baseline: [qa-20251031, gpt-4o]}     # graduated",
)
def candidate_is_not_its_baseline(declared: Declared) -> Iterator[Broken]:
    """A candidate is compared with the baselines and falls back to them, so it cannot be one of them.

    A candidate that graduated leads the baselines; then candidate, weight and since are taken out.
    """
    for file in declared.rollouts:
        for agent in file.candidates():
            if agent.candidate in agent.baseline:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "candidate"),
                    f"{shown(agent.candidate)} is a baseline of {agent.agent} already",
                    "take out candidate, weight and since, or name another model",
                    file.environment,
                )


@rule(
    "SL033",
    "A ladder climbs to 100",
    wrong="ladders:\n  short: [{weight: 25, hold: 2d}, {weight: 10, hold: 2d}]",
    right="ladders:\n  short: [{weight: 10, hold: 2d}, {weight: 100, hold: 1d}]",
)
def ladder_climbs(declared: Declared) -> Iterator[Broken]:
    """Each step of a ladder is higher than the one before, and the last one is 100.

    A ladder that ends below 100 never lets a candidate graduate; one that falls would take users off the candidate and
    count that as progress.
    """
    if declared.models is None:
        return
    for ladder in declared.registry.ladders.values():
        weights = ladder.weights_percent
        for index, (lower, higher) in enumerate(pairwise(weights), start=1):
            if higher <= lower:
                path = ("ladders", ladder.name, index, "weight")
                yield Broken(declared.models, path, f"{higher} comes after {lower}", "put the steps in rising order")
        if weights and weights[-1] != 100 and weights == tuple(sorted(set(weights))):
            path = ("ladders", ladder.name, len(weights) - 1, "weight")
            yield Broken(declared.models, path, f"the ladder ends at {weights[-1]}", "add a step of 100")


@rule(
    "SL034",
    "No step is jumped over",
    severities=GATE,
    looks_at=LooksAt.HISTORY,
    wrong="# the last commit has weight: 10\nagents:\n  qa: {candidate: qa-20251031, weight: 50}",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 25}",
)
def no_step_is_jumped_over(declared: Declared) -> Iterator[Broken]:
    """In production a weight rises by one step of the ladder at a time, seen from the last commit.

    A fault that shows in one request of a thousand is met by few users at 10 % and by many at 50 %: each step is there
    to see what the one before was too small to show. A weight may fall by any distance at any time. A candidate that
    the last commit did not have begins at the first step, because its users are drawn anew.
    """
    for file in declared.rollouts:
        for agent in file.candidates():
            if file.before is None:
                continue
            ladder = declared.registry.ladder_of(agent.agent)
            before = _weight_before(file.before, agent)
            allowed = ladder.next_after(before)
            if (
                allowed is not None
                and agent.weight_percent > allowed
                and agent.weight_percent in ladder.weights_percent
            ):
                over = ", ".join(str(step) for step in ladder.weights_percent if before < step < agent.weight_percent)
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "weight"),
                    f"rises from {before} to {agent.weight_percent} and jumps over {over}",
                    f"the next step is {allowed}",
                    file.environment,
                )


@rule(
    "SL035",
    "A candidate graduates after it held 100 %",
    severities=GATE,
    looks_at=LooksAt.HISTORY,
    wrong="# the last commit has weight: 50\nagents:\n  qa: {baseline: [qa-20251031, gpt-4o]}",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 100, since: 2025-11-12}",
)
def graduates_from_the_last_step(declared: Declared) -> Iterator[Broken]:
    """A model that leads an environment's baselines serves everybody, so it must have held the last step before.

    Seen from the last commit: a model that is new at the head of the baselines was the candidate there, at 100 %.
    """
    for file in declared.rollouts:
        for agent in file.rollout.agents.values():
            before = file.before.agents.get(agent.agent) if file.before else None
            leads = agent.baseline[0]
            model = declared.registry.models.get(leads)
            if before is None or model is None or not model.fine_tuned or leads in before.baseline:
                continue
            if before.candidate != leads or before.weight_percent != 100:
                held = f"at {before.weight_percent} %" if before.candidate == leads else "not its candidate"
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "baseline", 0),
                    f"{shown(leads)} leads the baselines and was {held} in the last commit",
                    "let it climb its ladder to 100 first",
                    file.environment,
                )


@rule(
    "SL036",
    "A weight holds as long as its step says",
    severities=GATE,
    looks_at=LooksAt.HISTORY,
    wrong="# the last commit has weight: 10, since: 2025-11-06, and the ladder says hold: 2d\n"
    "agents:\n  qa: {candidate: qa-20251031, weight: 25, since: 2025-11-07}",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 25, since: 2025-11-08}",
)
def weight_held_long_enough(declared: Declared) -> Iterator[Broken]:
    """A weight rises after it has held for the time of its step, counted in days from its `since` in the last commit.

    Some faults need time and not traffic: a weekend, a month's end, a cache that runs out.
    """
    for file in declared.rollouts:
        for agent in file.candidates():
            before = file.before.agents.get(agent.agent) if file.before else None
            if before is None or before.candidate != agent.candidate or before.since is None or agent.since is None:
                continue
            hold = declared.registry.ladder_of(agent.agent).hold_at(before.weight_percent)
            earliest = before.since + min(hold, date.max - before.since)
            if _rises_by_a_step(declared, before, agent) and agent.since < earliest:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "since"),
                    f"{before.weight_percent} % holds since {before.since} and must for {shown_duration(hold)}",
                    f"{earliest} is the first day for {agent.weight_percent}",
                    file.environment,
                )


@rule(
    "SL037",
    "A weight says since when it holds",
    severities=Severities(None, WARNING, ERROR),
    wrong="agents:\n  qa: {candidate: qa-20251031, weight: 10}",
    right="agents:\n  qa: {candidate: qa-20251031, weight: 10, since: 2025-11-06}",
)
def weight_has_a_day(declared: Declared) -> Iterator[Broken]:
    """A candidate that gets users has `since`, the day on which its weight was merged.

    Hold times are counted from it; without it nobody can tell when the next step may come.
    """
    for file in declared.rollouts:
        for agent in file.candidates():
            if agent.weight_percent > 0 and agent.since is None:
                yield Broken(
                    file.document,
                    ("agents", agent.agent, "weight"),
                    "stands without since",
                    "add the day it is merged, for example since: 2025-11-06",
                    file.environment,
                    at_key=True,
                )


@rule(
    "SL038",
    "Users are drawn in one way while a rollout runs",
    looks_at=LooksAt.HISTORY,
    wrong="# the last commit has hash: 2, and qa's candidate has 10 % of its users\nassignment: {hash: 3}",
    right="# while qa's candidate has 10 % of its users\nassignment: {hash: 2}",
)
def drawn_as_before(declared: Declared) -> Iterator[Broken]:
    """Hash, salt and key of the assignment stay as the last commit has them while a candidate has some of the users.

    Another hash draws the users of every rollout anew: of those on a candidate at 10 %, 49 to 90 % would go back to the
    baseline, and others come in their place. Nothing fails, but the comparison is spoilt. At 0 and at 100 % everybody
    is in one arm, and a candidate that is new draws its users anyway.
    """
    before, now = declared.assignment_before, declared.registry.assignment
    if declared.models is None or before is None or before == now:
        return
    field = next(field for field in ("hash", "salt", "key") if getattr(before, field) != getattr(now, field))
    for file in declared.rollouts:
        for agent in file.candidates():
            then = file.before.agents.get(agent.agent) if file.before else None
            if then is None or then.candidate != agent.candidate:
                continue
            if 0 < then.weight_percent < 100 and 0 < agent.weight_percent < 100:
                yield Broken(
                    declared.models,
                    ("assignment", field),
                    f"was {shown(getattr(before, field))} in the last commit, and {agent.agent} has "
                    f"{agent.weight_percent} % of its users in {file.environment} on its candidate",
                    "change it when every candidate stands at 0 or 100",
                )
                return  # one is enough: it is one change


def _rises_by_a_step(declared: Declared, before: AgentRollout, agent: AgentRollout) -> bool:
    weights = declared.registry.ladder_of(agent.agent).weights_percent
    return before.weight_percent < agent.weight_percent and agent.weight_percent in weights


def _weight_before(before: Rollout, agent: AgentRollout) -> int:
    """Return the weight that this candidate had in the last commit, 0 where it was not the candidate then."""
    then = before.agents.get(agent.agent)
    return then.weight_percent if then and then.candidate == agent.candidate else 0


RULES = (
    weight_is_a_step,
    candidate_is_not_its_baseline,
    ladder_climbs,
    no_step_is_jumped_over,
    graduates_from_the_last_step,
    weight_held_long_enough,
    weight_has_a_day,
    drawn_as_before,
)
