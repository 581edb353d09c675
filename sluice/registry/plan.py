"""What a change to the registry means for one environment: agent by agent, in the words of whom it concerns.

The registry as it is now is held beside that of a commit; both are taken as far as they are sound, and the rules say
what forbids the change.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sluice.errors import SluiceError
from sluice.registry.findings import Finding, Severity, choices
from sluice.registry.forecast import forecast
from sluice.registry.history import NothingToCompareWith, commit_of, restore
from sluice.registry.loading import Folder, read_folder, rollout_names
from sluice.registry.model import AgentRollout, Registry, Rollout
from sluice.registry.rules.rule import LooksAt
from sluice.registry.typed import keys_of, shown_duration


class NoSuchEnvironment(SluiceError):
    """An environment was asked for that has no rollout."""

    exit_code = 2

    def __init__(self, folder: Path, environment: str) -> None:
        known = choices(rollout_names(folder), of="environments with a rollout")
        super().__init__(f'{folder}: no rollout is named "{environment}"; {known}')


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """What changes for one agent; `changes` are sentences, none where nothing does."""

    agent: str
    candidate_before: str | None
    candidate_after: str | None
    weight_before_percent: int
    weight_after_percent: int
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What changes in an environment as a whole and for each agent, what forbids it, and what is only to be known."""

    environment: str
    against: str
    changes: tuple[str, ...]
    agents: tuple[AgentPlan, ...]
    forbidding: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def is_allowed(self) -> bool:
        """Whether no rule forbids what the registry says now."""
        return not self.forbidding


def plan_of(folder: Path, environment: str, against: str, today: date) -> Plan:
    """Compare `folder` with itself at the commit `against`.

    Raises NoSuchEnvironment where neither has a rollout of that name, NothingToCompareWith where git has no commit.
    """
    commit = commit_of(folder, against)
    if commit is None:
        raise NothingToCompareWith(folder, against)
    now = _folder_with(folder, environment, today=today, against=commit)
    with tempfile.TemporaryDirectory(prefix="sluice-plan-") as scratch:
        restore(folder, commit, Path(scratch))
        then = _folder_with(Path(scratch), environment)
    if now is None and then is None:
        raise NoSuchEnvironment(folder, environment)
    findings = tuple(sorted(set(now.broken(*LooksAt)))) if now else ()
    before, after = _Side.of(then, environment), _Side.of(now, environment)
    return Plan(
        environment,
        against,
        tuple(_of_environment(before, after)),
        tuple(_of_agents(before, after)),
        tuple(finding for finding in findings if finding.severity is Severity.ERROR),
        tuple(finding for finding in findings if finding.severity is not Severity.ERROR),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """The registry and the rollout of one of the two that are compared; empty where there is no such rollout."""

    registry: Registry
    rollout: Rollout

    @classmethod
    def of(cls, folder: Folder | None, environment: str) -> _Side:
        if folder is None or not folder.declared.rollouts:
            nothing: MappingProxyType[str, Any] = MappingProxyType({})
            registry = folder.declared.registry if folder else Registry(nothing, nothing, nothing)
            return cls(registry, Rollout(environment, True, nothing))
        return cls(folder.declared.registry, folder.declared.rollouts[0].rollout)


def _folder_with(folder: Path, environment: str, **asked: Any) -> Folder | None:
    return read_folder(folder, (environment,), **asked) if environment in rollout_names(folder) else None


def _of_environment(before: _Side, after: _Side) -> Iterator[str]:
    if before.rollout.enabled and not after.rollout.enabled:
        yield "the kill switch goes off: every agent's users go to its baseline"
    if after.rollout.enabled and not before.rollout.enabled:
        yield "the kill switch is lifted: candidates get their weights again"
    for name in ("budgets", "gates", "rollback", "report", "assignment"):
        for path, was, is_now in _differences(getattr(before.registry, name), getattr(after.registry, name), (name,)):
            yield f"{'.'.join(path)}: {was} becomes {is_now}"
    for provider, will_be in after.registry.providers.items():
        known = before.registry.providers.get(provider, will_be)
        for path, was, is_now in _differences(known, will_be, ("providers", provider)):
            yield f"{'.'.join(path)}: {was} becomes {is_now}"
    spent, will_be_spent = (
        sum(one.fine_tuned_dollars for one in forecast(side.registry, side.rollout)) for side in (before, after)
    )
    if abs(spent - will_be_spent) >= 0.005:
        yield f"forecast of the fine-tuned models: ${spent:,.2f} becomes ${will_be_spent:,.2f} a month"


def _of_agents(before: _Side, after: _Side) -> Iterator[AgentPlan]:
    for agent in dict.fromkeys((*after.rollout.agents, *before.rollout.agents)):
        was, is_now = before.rollout.agents.get(agent), after.rollout.agents.get(agent)
        yield AgentPlan(
            agent,
            was.candidate if was else None,
            is_now.candidate if is_now else None,
            before.rollout.wanted_weight_percent(agent) if was else 0,
            after.rollout.wanted_weight_percent(agent) if is_now else 0,
            tuple(_changes(before, after, was, is_now)),
        )


def _changes(before: _Side, after: _Side, was: AgentRollout | None, is_now: AgentRollout | None) -> Iterator[str]:
    if is_now is None:
        yield "is taken away: callers that name it are refused"
        return
    if was is None:
        yield f"is new; its baseline is {', '.join(is_now.baseline)}"
        was = AgentRollout(is_now.agent, None, 0, None, is_now.baseline)
    yield from _of_weight(before, after, was, is_now)
    if was.baseline != is_now.baseline:
        yield f"baseline: {', '.join(was.baseline)} becomes {', '.join(is_now.baseline)}"
    yield from _of_models(before.registry, after.registry, is_now)
    old, new = before.registry.agents.get(is_now.agent), after.registry.agents.get(is_now.agent)
    if old and new:
        for path, was_value, value in _differences(old.policy, new.policy, ()):
            yield f"{'.'.join(path)}: {was_value} becomes {value}{_alerts_with(path)}"
        steps, other_steps = (_steps(side.registry, is_now.agent) for side in (before, after))
        if steps != other_steps:
            yield f"its steps: {steps} become {other_steps}"


def _of_weight(before: _Side, after: _Side, was: AgentRollout, is_now: AgentRollout) -> Iterator[str]:
    agent = is_now.agent
    old, new = (
        side.rollout.wanted_weight_percent(agent) if agent in side.rollout.agents else 0 for side in (before, after)
    )
    if was.candidate is None and is_now.candidate is None:
        return
    if is_now.candidate is None:
        if is_now.baseline[0] == was.candidate:
            yield f"{was.candidate} graduates: it answers everybody, and the next candidate is compared with it"
        else:
            yield f"{was.candidate} is no longer a candidate: its {old} % go to the baseline"
        return
    if was.candidate is not None and was.candidate != is_now.candidate:
        yield f"candidate: {was.candidate} becomes {is_now.candidate}; its users are drawn anew"
    elif was.candidate is None:
        yield f"candidate: {is_now.candidate}"
    if old != new:
        yield f"{old} % of users on the candidate become {new} %{_meaning(after.registry, is_now, old, new)}"


def _meaning(registry: Registry, is_now: AgentRollout, old: int, new: int) -> str:
    if new == 0:
        return ": everybody is on the baseline"
    if new < old:
        return ": the others go back to the baseline"
    hold = registry.ladder_of(is_now.agent).hold_at(new)
    stays = " nobody who has it leaves it" if old else " the first users get it"
    held = f"; it holds at least {shown_duration(hold)}" if hold else ""
    return f":{stays}{held}"


def _of_models(before: Registry, after: Registry, is_now: AgentRollout) -> Iterator[str]:
    """Say what changes of the models that the agent uses, other than its evidence."""
    for name in (*([is_now.candidate] if is_now.candidate else []), *is_now.baseline):
        old, new = before.models.get(name), after.models.get(name)
        if old and new:
            for field in ("provider", "id", "price", "retires", "requests_per_second"):
                for path, was, value in _differences(getattr(old, field), getattr(new, field), (field,)):
                    yield f"{name}'s {'.'.join(path)}: {was} becomes {value}"


def _steps(registry: Registry, agent: str) -> str:
    steps = registry.ladder_of(agent).steps
    return ", ".join(f"{step.weight_percent} % for {shown_duration(step.hold)}" for step in steps)


def _alerts_with(path: tuple[str, ...]) -> str:
    return " (the alert moves with it)" if path[0] == "limits" else ""


def _differences(was: Any, is_now: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield the fields that differ, by what the files call them, with both values as the files write them."""
    if was == is_now:
        return
    if dataclasses.is_dataclass(was) and dataclasses.is_dataclass(is_now) and type(was) is type(is_now):
        for key, field in keys_of(type(was)).items():
            yield from _differences(getattr(was, field), getattr(is_now, field), (*path, key))
    else:
        yield path, _written(was), _written(is_now)


def _written(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case timedelta():
            return shown_duration(value)
        case tuple():
            return ", ".join(map(_written, value)) or "none"
        case float():
            return f"{value:g}"
        case _ if dataclasses.is_dataclass(value):
            said = {key: getattr(value, field) for key, field in keys_of(type(value)).items()}
            return ", ".join(f"{key} {_written(item)}" for key, item in said.items() if item is not None)
        case _:
            return str(value)
