"""What is to become of agents, asked of the gates, for the files of the very commit that a request will stand on.

A step of the ladder and the entry of another environment's model are decided in `sluice.rollout.next_step`; here the
files are read for it, and its answer becomes a wish or an error that names everything that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sluice.errors import AnswerIsNo, SluiceError
from sluice.git import Git
from sluice.gitops.branches import Others
from sluice.gitops.checkout import checkout, shown_from
from sluice.gitops.drafting import Wish
from sluice.registry import Registry, Rollout, load_registry, load_rollout, rollout_names
from sluice.registry.editing import edit_file
from sluice.registry.findings import Finding, did_you_mean, printed
from sluice.registry.plan import NoSuchEnvironment, plan_of
from sluice.rollout.case import Standing
from sluice.rollout.next_step import entry, next_step, proposed
from sluice.rollout.proposal import Force, Kind, NextStep, Refused
from sluice.rollout.record import Record, written

_SAID_BY_THE_GATES = frozenset({"SL051", "SL052", "SL053"})
"""The rules about sign-offs: each that is missing is among what the gates say."""


class NoSuchAgent(SluiceError):
    """An agent was named that the registry does not have."""

    exit_code = 2

    def __init__(self, agent: str, registry: Registry) -> None:
        super().__init__(f'no agent is named "{agent}"; {did_you_mean(agent, registry.agents, of="agents")}')


class GatesSayNo(AnswerIsNo):
    """Something is missing for the next step of one or several agents; `refused` holds what, for each.

    `forbidding` is what rules of the registry have against it besides, so that one run names everything.
    """

    def __init__(self, refused: Sequence[Refused], forbidding: Sequence[Finding] = ()) -> None:
        self.refused = tuple(refused)
        by_force = not forbidding and all(one.by_force for one in refused)
        lines = [one.text for one in refused]
        if forbidding:
            lines += ["rules of the registry forbid it as well:", printed(forbidding)]
        super().__init__("\n".join(lines) + (" (--force with a --reason goes on all the same)" if by_force else ""))


class Overrides(Protocol):
    """Whoever knows what the cluster's override says."""

    def standings(self, rollout: Rollout) -> Mapping[str, Standing]:
        """Say of each agent whether it was rolled back. Raises what the cluster does."""


class Judge(Overrides, Protocol):
    """Whoever measures and judges besides: Prometheus and the gates."""

    def record(self, registry: Registry, rollout: Rollout, agent: str, standing: Standing | None) -> Record:
        """Measure and judge one agent. Raises NoCandidate, NothingToMeasureWith, CannotSee."""


@dataclass(frozen=True, slots=True)
class Stepping:
    """The next step of some agents of one environment. A wish for each, or none for any."""

    environment: str
    agents: tuple[str, ...]
    judge: Judge
    force: Force | None = None

    def __call__(self, project: Path) -> tuple[Wish, ...]:
        """Judge a project's files. Raises GatesSayNo, NoCandidate, NoSuchAgent, and what judging does."""
        registry, rollout = read(project, self.environment)
        require_agents(registry, self.agents)
        standings = self.judge.standings(rollout)
        wishes, refused = [], []
        for agent in self.agents:
            record = self.judge.record(registry, rollout, agent, standings.get(agent))
            step = next_step(registry, rollout, record, standings, self.force)
            if isinstance(step, Refused):
                refused.append(step)
            else:
                wishes.append(_wish(step, _verdict(record), written(record)))
        if refused:
            raise GatesSayNo(refused)
        return tuple(wishes)


@dataclass(frozen=True, slots=True)
class Entering:
    """The entry of the models of `source`, another environment, into `environment`: candidates, at the first step."""

    environment: str
    source: str
    agents: tuple[str, ...]
    overrides: Overrides
    now: datetime
    force: Force | None = None

    def __call__(self, project: Path) -> tuple[Wish, ...]:
        """Judge a project's files. Raises GatesSayNo, NoCandidate, NoSuchAgent, and what the cluster does."""
        registry, target = read(project, self.environment)
        _, source = read(project, self.source)
        require_agents(registry, self.agents)
        standings = self.overrides.standings(proposed(registry, source, target, self.agents))
        steps = [entry(registry, source, target, agent, self.now, standings, self.force) for agent in self.agents]
        refused = [step for step in steps if isinstance(step, Refused)]
        if refused:
            wanted = [step.would_be if isinstance(step, Refused) else step for step in steps]
            raise GatesSayNo(refused, self._forbidding(project, [step for step in wanted if step is not None]))
        return tuple(_wish(step, tuple(_evidence(registry, step))) for step in steps if not isinstance(step, Refused))

    def _forbidding(self, project: Path, steps: Sequence[NextStep]) -> tuple[Finding, ...]:
        """Ask the rules of what was asked for, too. The files are a checkout's, which ends with the refusal."""
        changes = {path: value for step in steps for path, value in step.changes.items()}
        if not edit_file(project / "registry" / "rollouts" / f"{self.environment}.yaml", changes):
            return ()
        plan = plan_of(project / "registry", self.environment, "HEAD", self.now.date())
        return tuple(shown_from(one, project) for one in plan.forbidding if one.rule not in _SAID_BY_THE_GATES)


def read(project: Path, environment: str) -> tuple[Registry, Rollout]:
    """Return the registry of a project, and one rollout. Raises NoSuchEnvironment, InvalidRegistry."""
    folder = project / "registry"
    if environment not in rollout_names(folder):
        raise NoSuchEnvironment(Path("registry"), environment)
    registry = load_registry(folder)
    return registry, load_rollout(folder, environment, registry)


def with_candidates(project: Path, others: Others, environment: str) -> tuple[str, ...]:
    """Return the agents of an environment that have a candidate, as everybody has it in git.

    Raises NoSuchEnvironment, InvalidRegistry, GitRefused.
    """
    git = Git(project)
    with checkout(git, others.fetch_base()) as folder:
        _, rollout = read(folder / git.text("rev-parse", "--show-prefix"), environment)
    return tuple(agent for agent, stands in rollout.agents.items() if stands.candidate is not None)


def require_agents(registry: Registry, agents: Sequence[str]) -> None:
    """Check that agents are in the registry. Raises NoSuchAgent."""
    for agent in agents:
        if agent not in registry.agents:
            raise NoSuchAgent(agent, registry)


def _wish(step: NextStep, verdict: tuple[str, ...], record: str = "") -> Wish:
    to = "graduates" if step.weight_percent is None else f"{step.weight_percent} %"
    forced = tuple(f"gone over: {one.gate}: {one}" for one in step.despite)
    wanted = f"{step.candidate} {to}"
    return Wish(step.agent, step.changes, wanted, _title(step), (*verdict, *forced), step.candidate, record=record)


def _title(step: NextStep) -> str:
    match step.kind:
        case Kind.GRADUATION:
            return f"{step.candidate} graduates"
        case Kind.RE_ENTRY:
            return f"{step.candidate} begins anew at {step.weight_percent} %"
        case Kind.ENTRY:
            return f"{step.candidate} begins at {step.weight_percent} %"
    return f"{step.candidate} from {step.weight_before_percent} % to {step.weight_percent} %"


def _verdict(record: Record) -> tuple[str, ...]:
    verdict = record.verdict
    return (f"verdict: {verdict.action}", *(f"{reason.gate}: {reason.text}" for reason in verdict.reasons))


def _evidence(registry: Registry, step: NextStep) -> Iterator[str]:
    """Name the evidence about the model that enters: what reviewers look at in place of measurements."""
    model = registry.models[step.candidate]
    if model.benchmark is not None:
        beside = f"the baseline {model.benchmark.baseline:g}"
        yield f"benchmark of {model.benchmark.date}: {model.benchmark.score:g}, {beside}"
    for evidence in registry.evidence.values():
        if evidence.ids().get(model.name) != model.id:
            continue
        by = f" by {evidence.by}" if evidence.by else ""
        role = f", {evidence.sign_off.role}, until {evidence.sign_off.ends}" if evidence.sign_off else ""
        yield f"{evidence.kind} {evidence.name} of {evidence.date}{by}{role}"
