"""The court that sits in the guard: Prometheus measures, the gates judge, and only their rollback counts here.

What is judged stands in the cluster's flags; what it is held to, the limits of the registry, in the guard's own
configuration. A candidate that the configuration does not know yet is left alone: pods are being replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sluice.registry import AgentRollout, Registry, Rollout
from sluice.registry.policy import OverrideEnds
from sluice.rollout import GATES_VERSION, Action, case_of, record_of, written
from sluice.rollout.errors import is_suspect
from sluice.rollout.guard.loop import Ruling, Watched
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.wanted import Wanted


@dataclass(frozen=True, slots=True)
class GatesCourt:
    """Judges by the gates. `wanted` returns what the cluster's flags say at this moment."""

    environment: str
    registry: Registry
    measuring: Measuring
    wanted: Callable[[], Mapping[str, Wanted]]

    def judge(self, watched: Watched, now: datetime) -> Ruling:
        """Judge one agent by what had been measured at `now`. Raises CannotSee."""
        rollout = self._rollout(watched)
        if watched.agent not in self.registry.agents or watched.candidate not in self.registry.models:
            why = f"{watched.candidate} is not in this guard's configuration yet"
            return Ruling(str(Action.HOLD), why, "", "", is_rollback=False)
        # That it was resumed shows in what is measured: since then alone. The gates would refuse to judge at all one
        # that was resumed above its first step, and that is the one to look at.
        case = case_of(self.registry, rollout, watched.agent, self.measuring.of(watched, now), now)
        record = record_of(case)
        verdict = record.verdict
        reasons = [reason.text for reason in verdict.why]
        ends = self.registry.agents[watched.agent].policy.override_ends
        return Ruling(
            action=str(verdict.action),
            reason=reasons[0] if reasons else str(verdict.action),
            evidence="; ".join(
                [*reasons[1:], f"{watched.candidate} at {watched.weight_percent} %, gates {GATES_VERSION}"]
            ),
            record=written(record),
            is_rollback=verdict.action is Action.ROLLBACK,
            held_candidate=watched.candidate if ends is OverrideEnds.NEW_CANDIDATE else "",
            is_suspect=is_suspect(case),
        )

    def _rollout(self, watched: Watched) -> Rollout:
        """Return what is rolled out as the flags have it, with the weight that is allowed."""
        wanted = self.wanted()
        agents = {
            name: _agent_rollout(name, wanted.get(name), agent.baseline) for name, agent in self.registry.agents.items()
        }
        if watched.agent in agents:
            stands = agents[watched.agent]
            agents[watched.agent] = AgentRollout(
                watched.agent, watched.candidate, watched.weight_percent, stands.since, stands.baseline
            )
        return Rollout(self.environment, True, MappingProxyType(agents))


def _agent_rollout(agent: str, wanted: Wanted | None, baseline: tuple[str, ...]) -> AgentRollout:
    if wanted is None:
        return AgentRollout(agent, None, 0, None, baseline)
    return AgentRollout(agent, wanted.candidate, wanted.weight_percent, wanted.since, wanted.baseline or baseline)
