"""What should change in git for one agent: its next step, its graduation, or what is missing for it and since when.

A pure function of the registry, the rollout and the record of a judgement. It changes no file: `NextStep.changes` is
what an edit of the rollout file takes. A step is the next of the ladder and never more; after a rollback the way begins
at the first. A person may go on against what was measured, by a reason that is kept, and never against what stands in
the registry: a freeze or a sign-off is changed there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType

from sluice.registry import Registry, Rollout
from sluice.registry.policy import is_production
from sluice.rollout.case import Case, NoCandidate, Standing
from sluice.rollout.measurements import Measurements
from sluice.rollout.proposal import Force, Kind, Missing, NextStep, Refused
from sluice.rollout.record import Record
from sluice.rollout.verdict import Action, Gate, Reason
from sluice.rollout.verdicts import judged
from sluice.rollout.view import view_of

_MOST_BASELINES = 10
"""As many as a rollout file takes."""

_CHANGED_ELSEWHERE = frozenset({Gate.ROLLOUT, Gate.SIGN_OFFS, Gate.FREEZE})
"""What no reason goes over: it is ended by `sluice resume`, by an update, or by a change of the registry."""


def next_step(
    registry: Registry,
    rollout: Rollout,
    record: Record,
    standings: Mapping[str, Standing] = MappingProxyType({}),
    force: Force | None = None,
) -> NextStep | Refused:
    """Say what should change in `rollout` after the judgement in `record`, which is of this rollout as it stands.

    `standings` are those of all agents: one that was rolled back holds up who is coupled to it, and nobody else.
    """
    case, verdict = record.case, record.verdict
    stands = rollout.agents.get(case.agent)
    if stands is None or (stands.candidate, stands.weight_percent) != (case.candidate, case.weight_percent):
        now = f"{stands.candidate} at {stands.weight_percent} %" if stands else "no such agent"
        said = f"was judged as {case.candidate} at {case.weight_percent} %, and the file says {now}: judge anew"
        return _refused(case, (Missing(Gate.ROLLOUT, said),))
    coupled = tuple(_coupled(registry, case.agent, standings))
    if not coupled and _begins_anew(case):
        first = case.steps[0].weight_percent
        return _changed(Kind.RE_ENTRY, rollout, case, first)
    if verdict.action is Action.ROLLBACK:
        harm = tuple(_missing(record, reason) for reason in verdict.why)
        return _refused(case, harm)
    missing = (*coupled, *(_missing(record, reason) for reason in verdict.why if reason.action is Action.HOLD))
    fixed = tuple(one for one in missing if not _may_be_forced(case, one))
    if fixed or (missing and force is None):
        return _refused(case, missing, by_force=not fixed, asks_a_person=verdict.asks_a_person)
    following = case.next_weight_percent
    if following is None:
        return _graduated(rollout, case, force if missing else None, missing)
    kind = Kind.STEP if case.weight_percent else Kind.ENTRY
    return _changed(kind, rollout, case, following, force if missing else None, missing)


def entry(
    registry: Registry,
    source: Rollout,
    target: Rollout,
    agent: str,
    now: datetime,
    standings: Mapping[str, Standing] = MappingProxyType({}),
    force: Force | None = None,
) -> NextStep | Refused:
    """Say what brings the model that `source` tried out into `target`: as its candidate, at the first step.

    Raises NoCandidate where `source` has none. What evidence production needs is for the registry's rules to say, which
    see the edited file.
    """
    candidate = _tried(registry, source, agent)
    in_the_way = tuple(_in_the_way(source, target, agent, candidate))
    if in_the_way:
        return Refused(target.environment, agent, candidate, in_the_way)
    with_it = proposed(registry, source, target, (agent,))
    record = judged(registry, with_it, agent, Measurements(now), now, standings.get(agent))
    step = next_step(registry, with_it, record, standings, force)
    if isinstance(step, Refused):
        first = record.case.steps[0].weight_percent
        return dataclasses.replace(step, would_be=_changed(Kind.ENTRY, with_it, record.case, first))
    return step


def proposed(registry: Registry, source: Rollout, target: Rollout, agents: Iterable[str]) -> Rollout:
    """Return `target` with the models that `source` tried as candidates that have no users yet.

    An override that another candidate ends does not stand in their way. Raises NoCandidate as `entry` does.
    """
    entering = {
        agent: dataclasses.replace(
            target.agents[agent], candidate=_tried(registry, source, agent), weight_percent=0, since=None
        )
        for agent in agents
    }
    return dataclasses.replace(target, agents=MappingProxyType({**target.agents, **entering}))


def _tried(registry: Registry, source: Rollout, agent: str) -> str:
    """Return the model that an environment tried: its candidate, or the one that graduated there."""
    stands = source.agents[agent]
    if stands.candidate is not None:
        return stands.candidate
    leads = registry.models.get(stands.baseline[0])
    if leads is None or not leads.fine_tuned:
        raise NoCandidate(source.environment, agent)
    return leads.name


def _in_the_way(source: Rollout, target: Rollout, agent: str, candidate: str) -> Iterator[Missing]:
    came, stands = source.agents[agent], target.agents[agent]
    if came.candidate is not None and not source.wanted_weight_percent(agent):
        yield Missing(Gate.ROLLOUT, f"{candidate} answers nobody in {source.environment}: it was not tried there")
    if candidate in stands.baseline:
        yield Missing(Gate.ROLLOUT, f"{candidate} is a baseline of {target.environment} already")
    elif stands.weight_percent and stands.candidate == candidate:
        said = f"{candidate} has {stands.weight_percent} % in {target.environment} already: `sluice advance` goes on"
        yield Missing(Gate.ROLLOUT, said, _midnight(stands.since))
    elif stands.weight_percent:
        said = f"{stands.candidate} has {stands.weight_percent} % in {target.environment}"
        remedy = "let it graduate, or roll it back and merge that, first"
        yield Missing(Gate.ROLLOUT, f"{said}: {remedy}", _midnight(stands.since))


def _begins_anew(case: Case) -> bool:
    """Say whether git still wants the weight at which a candidate fell that a person has let in again."""
    standing, first = case.standing, case.steps[0].weight_percent
    if standing.rolled_back or standing.resumed_at is None or case.weight_percent <= first:
        return False
    periods = case.measurements.periods
    return not periods or periods[0].weight_percent > first


def _coupled(registry: Registry, agent: str, standings: Mapping[str, Standing]) -> Iterator[Missing]:
    for other in registry.agents[agent].coupled_to:
        back = standings[other].rolled_back if other in standings else None
        if back is not None and other != agent:
            said = f"{other}, which it is coupled to, was rolled back by {back.by}: {back.reason}"
            yield Missing(Gate.ROLLOUT, said, back.at)


def _may_be_forced(case: Case, missing: Missing) -> bool:
    # In production a rule (SL036) keeps the time of a step, and no reason passes a rule.
    return missing.gate not in _CHANGED_ELSEWHERE and not (
        missing.gate is Gate.TIME and is_production(case.environment)
    )


def _missing(record: Record, reason: Reason) -> Missing:
    return Missing(reason.gate, reason.text, _since(record.case, reason))


def _since(case: Case, reason: Reason) -> datetime | None:
    """Return since when a gate has had a reason to say no: as long as it can be known from the case."""
    back, newest = case.standing.rolled_back, case.measurements.newest
    if reason.gate is Gate.ROLLOUT:
        return back.at if back else case.standing.resumed_at
    if reason.gate is Gate.FREEZE:
        return case.frozen_since
    by_gate = {
        Gate.ERRORS: newest.errors,
        Gate.QUALITY: newest.quality,
        Gate.LATENCY: newest.latency,
        Gate.COST: newest.cost,
    }
    scraped = by_gate.get(reason.gate)
    if scraped is not None and case.now - scraped > case.judgement.stale:
        return scraped
    return None if reason.gate in {Gate.SIGN_OFFS, Gate.BUDGET} else view_of(case).began


def _changed(
    kind: Kind,
    rollout: Rollout,
    case: Case,
    weight_percent: int,
    forced: Force | None = None,
    despite: tuple[Missing, ...] = (),
) -> NextStep:
    return NextStep(
        kind,
        rollout.environment,
        case.agent,
        case.candidate,
        case.weight_percent,
        weight_percent,
        case.now.astimezone(UTC).date(),
        forced=forced,
        despite=despite,
    )


def _graduated(rollout: Rollout, case: Case, forced: Force | None, despite: tuple[Missing, ...]) -> NextStep | Refused:
    if case.weight_percent < 100:
        said = f"the ladder ends at {case.weight_percent} %, and only who has everybody graduates"
        return _refused(case, (Missing(Gate.ROLLOUT, said),))
    baseline = (case.candidate, *rollout.agents[case.agent].baseline)[:_MOST_BASELINES]
    return NextStep(
        Kind.GRADUATION,
        rollout.environment,
        case.agent,
        case.candidate,
        case.weight_percent,
        None,
        None,
        baseline,
        forced,
        despite,
    )


def _refused(
    case: Case, missing: tuple[Missing, ...], *, by_force: bool = False, asks_a_person: bool = False
) -> Refused:
    return Refused(case.environment, case.agent, case.candidate, missing, by_force, asks_a_person)


def _midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
