"""How sure the gates of a rollout must be of an agent's candidate, and what they do without a metric."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from sluice.registry.typed import InFileAs


class WhenMissing(StrEnum):
    """What a gate does where its metric is missing or stale: nothing is ever rolled back or let through for that."""

    HOLD = "hold"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class MissingMetrics:
    """What each gate does without its metric."""

    errors: WhenMissing = WhenMissing.HOLD
    quality: WhenMissing = WhenMissing.HOLD
    latency: WhenMissing = WhenMissing.HOLD
    cost: WhenMissing = WhenMissing.HOLD


@dataclass(frozen=True, slots=True)
class Judgement:
    """How sure the gates must be. `harm` is the chance that a whole rollout of a good candidate is rolled back.

    `promotion` is the chance that a candidate worse by a margin passes a step for as good. `alike` is how much the
    answers of one user are alike: at 0 each counts, at 1 a user counts once.
    """

    harm: float = 0.01
    promotion: float = 0.05
    error_margin_percent: Annotated[float, InFileAs("error_margin")] = 10.0
    least_answers: int = 20
    alike: float = 0.3
    longest: timedelta = timedelta(days=14)
    stale: timedelta = timedelta(minutes=5)
    missing: MissingMetrics = MissingMetrics()
