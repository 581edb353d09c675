"""A guard over a made cluster, whose court says what a test has it say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sluice.rollout.guard.loop import CannotSee, Guard, Ruling, Watched
from sluice.rollout.guard.metrics import GuardMetrics
from tests.rollout.made_cluster import NAMESPACE, MadeCluster


@dataclass
class MadeCourt:
    """Says that these agents are to be rolled back, that those may do harm, or that it cannot see."""

    bad: frozenset[str] = frozenset()
    suspect: frozenset[str] = frozenset()
    is_blind: bool = False
    slow: frozenset[str] = frozenset()
    """The agents of which Prometheus says nothing in time."""
    asked: list[Watched] = field(default_factory=list)
    holds_one: bool = False
    """Whether the registry lets another candidate end the override."""
    record: str = '{"made": true}'

    def judge(self, watched: Watched, now: datetime) -> Ruling:
        self.asked.append(watched)
        if self.is_blind or watched.agent in self.slow:
            raise CannotSee("Prometheus does not answer")
        if watched.agent in self.bad:
            held = watched.candidate if self.holds_one else ""
            return Ruling(
                "rollback", "21 of 40 failed", "baseline 0 of 300", self.record, is_rollback=True, held_candidate=held
            )
        is_suspect = watched.agent in self.suspect
        return Ruling("hold", "too few", "", self.record, is_rollback=False, is_suspect=is_suspect)


def guard(
    cluster: MadeCluster,
    court: MadeCourt,
    *,
    at: datetime | None = None,
    acts: bool = True,
    said: list[str] | None = None,
) -> Guard:
    def say(text: str, about: Mapping[str, str]) -> None:
        if said is not None:
            said.append(text)

    return Guard(
        cluster,
        "made",
        NAMESPACE,
        court,
        GuardMetrics(),
        may_act=lambda: acts,
        say=say,
        now=lambda: at or datetime.now(UTC),
    )


def metric(guard: Guard, name: str, **labels: str) -> float | None:
    return guard.metrics.registry.get_sample_value(name, labels)
