"""What the gates say: advance, hold or roll back, and why, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What is to become of a candidate's weight."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLLBACK = "rollback"


class Gate(StrEnum):
    """What a reason is about."""

    ROLLOUT = "rollout"
    MEASUREMENTS = "measurements"
    ASSIGNMENT = "assignment"
    TIME = "time"
    SAMPLE = "sample"
    ERRORS = "errors"
    QUALITY = "quality"
    LATENCY = "latency"
    COST = "cost"
    BUDGET = "budget"
    SIGN_OFFS = "sign-offs"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class Number:
    """A number behind a reason; `name` holds its unit."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Reason:
    """What one gate says by itself, a sentence for a person, and the numbers it was made from."""

    gate: Gate
    action: Action
    text: str
    numbers: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all gates say together: a rollback if one says so, else hold if one does, else advance.

    `next_weight_percent` is what an advance leads to, None where the candidate graduates instead. `asks_a_person` is
    true where waiting longer will not answer the question.
    """

    action: Action
    reasons: tuple[Reason, ...]
    next_weight_percent: int | None = None
    graduates: bool = False
    asks_a_person: bool = False

    @property
    def why(self) -> tuple[Reason, ...]:
        """The reasons that decided."""
        return tuple(reason for reason in self.reasons if reason.action is self.action)


def numbers(**values: float) -> tuple[Number, ...]:
    """Name the numbers of a reason."""
    return tuple(Number(name, float(value)) for name, value in values.items())
