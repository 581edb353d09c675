"""What a report says: totals, moving means, comparisons and savings, worked out of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.rollout.report.comparison import Comparison, compare
from sluice.rollout.report.material import ARMS, DIMENSIONS, AgentMaterial, ArmDay, Material, Query, Samples
from sluice.rollout.report.moving import Mean, moving_means
from sluice.rollout.report.weights import Event, events_of

LEAST_PRICED = 20
"""How many answers the cost of a request is taken over, as in the recorded series."""

_WHOLE = 0.95
"""A day of which less was recorded is named: its counts are too low."""


@dataclass(frozen=True, slots=True)
class Day:
    """One arm on one day: counts are None where nothing was measured."""

    ended: datetime
    answers: float | None
    error_percent: float | None
    slow: float | None
    request_cost_dollars: float | None


@dataclass(frozen=True, slots=True)
class ArmFindings:
    """One arm over the time of the report. `answers` are requests that it served, errors included."""

    answers: float | None
    error_percent: float | None
    fallback_percent: float | None
    slow: float | None
    request_cost_dollars: float | None
    seconds: Mapping[str, float]
    """By quantile."""
    days: tuple[Day, ...]
    means: Mapping[str, tuple[Mean, ...]]
    """Moving means of points by dimension."""

    def mean(self, dimension: str) -> Mean | None:
        """The newest moving mean."""
        means = self.means.get(dimension, ())
        return means[-1] if means and means[-1].mean is not None else None


@dataclass(frozen=True, slots=True)
class Saving:
    """What the candidate's answers saved; `by_forecast` where the baseline answered too few to have a price."""

    dollars: float
    percent: float
    by_forecast: bool


@dataclass(frozen=True, slots=True)
class AgentFindings:
    """One agent."""

    agent: str
    candidate: str | None
    baseline: str
    watched_closely: bool
    weights: Mapping[str, Samples]
    events: tuple[Event, ...]
    arms: Mapping[str, ArmFindings]
    latency: Mapping[tuple[str, str], Samples]
    saving: Saving | None
    comparison: Comparison | None

    @property
    def served_percent(self) -> float | None:
        """The weight that was served last."""
        served = self.weights.get("served", ())
        return served[-1][1] if served else None


@dataclass(frozen=True, slots=True)
class Findings:
    """One report."""

    environment: str
    since: datetime
    until: datetime
    moving_mean: timedelta
    slow_seconds: float
    agents: tuple[AgentFindings, ...]
    worst: tuple[Query, ...] | None
    month_spend_dollars: float | None
    month_cap_dollars: float | None
    missing: tuple[str, ...]


def find(material: Material) -> Findings:
    """Work out a report."""
    agents = tuple(_of_agent(material, agent) for agent in material.agents)
    return Findings(
        environment=material.environment,
        since=material.since,
        until=material.until,
        moving_mean=material.moving_mean,
        slow_seconds=material.slow_seconds,
        agents=agents,
        worst=material.worst,
        month_spend_dollars=material.month_spend_dollars,
        month_cap_dollars=material.month_cap_dollars,
        missing=(*material.missing, *_not_recorded(material), *_without_series(agents)),
    )


def _of_agent(material: Material, agent: AgentMaterial) -> AgentFindings:
    arms = {arm: _of_arm(material, agent, arm) for arm in ARMS}
    return AgentFindings(
        agent=agent.agent,
        candidate=agent.candidate,
        baseline=agent.baseline,
        watched_closely=agent.watched_closely,
        weights=agent.weights,
        events=events_of(material, agent),
        arms=arms,
        latency=agent.latency,
        saving=_saving(arms["candidate"], arms["baseline"], agent.forecast_baseline_dollars),
        comparison=compare(agent.run) if agent.run else None,
    )


def _of_arm(material: Material, agent: AgentMaterial, arm: str) -> ArmFindings:
    days = [day for day in agent.days.get(arm, ()) if day.ended > material.since]
    answers = _total(map(_answers, days))
    return ArmFindings(
        answers=answers,
        error_percent=_percent(_total(_outcome(day, "error") for day in days), answers),
        fallback_percent=_percent(_total(_outcome(day, "fallback") for day in days), answers),
        slow=_total(day.slow for day in days),
        request_cost_dollars=_request_cost(days),
        seconds={name: value for (of, name), value in agent.quantiles_seconds.items() if of == arm},
        days=tuple(_of_day(day) for day in days),
        means={
            dimension: tuple(
                moving_means(agent.days.get(arm, ()), dimension, material.moving_mean, material.since, agent.alike)
            )
            for dimension in DIMENSIONS
        },
    )


def _of_day(day: ArmDay) -> Day:
    answers = _answers(day)
    return Day(day.ended, answers, _percent(_outcome(day, "error"), answers), day.slow, _request_cost([day]))


def _answers(day: ArmDay) -> float | None:
    return None if day.outcomes is None else sum(day.outcomes.values())


def _outcome(day: ArmDay, outcome: str) -> float | None:
    return None if day.outcomes is None else day.outcomes.get(outcome, 0.0)


def _request_cost(days: Sequence[ArmDay]) -> float | None:
    """Return what an answered request cost; None of too few, or where a day has answers and no cost."""
    known = [day for day in days if day.outcomes is not None and day.cost_dollars is not None]
    answered = sum((_answers(day) or 0.0) - (_outcome(day, "error") or 0.0) for day in known)
    return sum(day.cost_dollars or 0.0 for day in known) / answered if answered >= LEAST_PRICED else None


def _saving(candidate: ArmFindings, baseline: ArmFindings, forecast: float | None) -> Saving | None:
    each = candidate.request_cost_dollars
    beside = baseline.request_cost_dollars or forecast
    if each is None or not beside or candidate.answers is None:
        return None
    answered = candidate.answers * (1 - (candidate.error_percent or 0.0) / 100)
    return Saving((beside - each) * answered, 100 * (1 - each / beside), baseline.request_cost_dollars is None)


def _not_recorded(material: Material) -> Iterable[str]:
    lacking = [(ended, part) for ended, part in sorted(material.recorded.items()) if part < _WHOLE]
    if material.recorded and len(lacking) == len(material.recorded) and not any(part for _, part in lacking):
        yield "Prometheus has recorded nothing of this environment in this time: is it scraped, and has it the rules?"
        return
    for ended, part in lacking:
        yield f"of the 24 hours to {ended:%Y-%m-%d %H:%M}, {100 * part:.0f} % were recorded: its counts are too low"


def _without_series(agents: Sequence[AgentFindings]) -> Iterable[str]:
    silent = [one.agent for one in agents if all(arm.answers is None for arm in one.arms.values())]
    if silent:
        yield f"there are no counts of requests of {', '.join(silent)}"
    lacks: Mapping[str, Callable[[ArmFindings], bool]] = {
        "points": lambda arm: not any(one.answers for one in arm.means["overall"]),
        "late answers": lambda arm: arm.slow is None,
    }
    for what, is_lacking in lacks.items():
        for arm in ARMS:
            those = [one.agent for one in agents if (one.arms[arm].answers or 0) > 0 and is_lacking(one.arms[arm])]
            if those:
                yield f"of the {arm} of {', '.join(those)} there are requests, and no {what}"


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _percent(part: float | None, whole: float | None) -> float | None:
    return 100 * part / whole if part is not None and whole else None
