"""What may come of a judgement in git: a change of one agent's rollout, or why there is none.

Values only, for whoever writes the commit and whoever reads why there is none. What they are made from is
`sluice.rollout.next_step`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from sluice.errors import SluiceError
from sluice.registry.editing import REMOVED, Edit
from sluice.registry.places import Steps
from sluice.rollout.verdict import Gate


class Kind(StrEnum):
    """What a change does to an agent's rollout."""

    ENTRY = "entry"
    STEP = "step"
    RE_ENTRY = "re-entry"
    GRADUATION = "graduation"


class NoReason(SluiceError):
    """Somebody goes on against the gates and does not say why."""

    exit_code: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__("--force needs a reason, which stays in git: --reason 'why it is right all the same'")


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that stands in the way: what the gate says, and since when; None where nobody knows."""

    gate: Gate
    text: str
    since: datetime | None = None

    def __str__(self) -> str:
        """Return the sentence, with its day and minute."""
        return self.text if self.since is None else f"{self.text} (since {self.since:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True, slots=True)
class Force:
    """Who goes on against the gates, and why. Raises NoReason for one that says nothing."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise NoReason


@dataclass(frozen=True, slots=True)
class NextStep:
    """The change of one agent in one environment's rollout file.

    `weight_percent` is None where the candidate graduates: then `baseline` is what leads from now on. `despite` is what
    `forced` went over.
    """

    kind: Kind
    environment: str
    agent: str
    candidate: str
    weight_before_percent: int
    weight_percent: int | None
    since: date | None
    baseline: tuple[str, ...] = ()
    forced: Force | None = None
    despite: tuple[Missing, ...] = ()

    @property
    def changes(self) -> Mapping[Steps, Edit]:
        """What `sluice.registry.editing` makes of the rollout file; naming the candidate again changes nothing."""
        at: Steps = ("agents", self.agent)
        if self.weight_percent is None:
            gone = {(*at, field): REMOVED for field in ("candidate", "weight", "since")}
            return MappingProxyType({(*at, "baseline"): list(self.baseline), **gone})
        said: dict[str, Edit] = {"candidate": self.candidate, "weight": self.weight_percent, "since": self.since}
        return MappingProxyType({(*at, field): value for field, value in said.items()})

    @property
    def text(self) -> str:
        """One sentence for a person."""
        who = f"{self.agent} of {self.environment}"
        match self.kind:
            case Kind.GRADUATION:
                return f"{who}: {self.candidate} graduates and is the first baseline; the next is compared with it"
            case Kind.RE_ENTRY:
                return (
                    f"{who}: {self.candidate} was rolled back, so the way up begins anew: "
                    f"{self.weight_before_percent} % become {self.weight_percent} %"
                )
            case Kind.ENTRY:
                return f"{who}: {self.weight_percent} % of users get {self.candidate}, the first it has here"
        return f"{who}: {self.weight_before_percent} % of users on {self.candidate} become {self.weight_percent} %"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing changes. `by_force` says whether a reason would do; where `asks_a_person`, waiting will not."""

    environment: str
    agent: str
    candidate: str | None
    missing: tuple[Missing, ...]
    by_force: bool = False
    asks_a_person: bool = False
    would_be: NextStep | None = None
    """The change that was asked for, where it is known: the registry's rules may forbid it besides."""

    @property
    def text(self) -> str:
        """Say everything that is missing, a line each."""
        head = f"{self.agent} of {self.environment}: {self.candidate or 'no candidate'} is not ready:"
        tail = "  it has had the longest time that the registry gives a step: a person decides" * self.asks_a_person
        return "\n".join([head, *(f"  {one.gate}: {one}" for one in self.missing), *([tail] if tail else [])])
