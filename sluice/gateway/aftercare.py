"""What is done with an agent's answers after they were given, as gateway.json says it: scored, reviewed, kept.

The names of the fields are the registry's (docs/registry.md). Everything has a default, so that a file from before a
field was there is still read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.gateway.scoring.features import Expects

_FORMS = ", ".join(Expects)


@dataclass(frozen=True, slots=True)
class JudgeRule:
    """The model that is asked about some answers. `share` is of those that are scored at all."""

    model: str
    share: float
    budget_dollars_per_day: float


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Whose outputs wait for a person: the candidate's first ones, or all of the agent's for some days."""

    by: str
    first_outputs: int | None
    days: int | None


@dataclass(frozen=True, slots=True)
class Aftercare:
    """All of it for one agent."""

    share: float = 1.0
    per_second: float = 20.0
    expects: Expects = Expects.GENERAL
    empathetic: bool = False
    judge: JudgeRule | None = None
    review: ReviewRule | None = None
    hand_over_below: float | None = None
    failed_queries: int = 100
    worst_queries: int = 10


def read_aftercare(path: str, fields: Mapping[str, Any], faults: list[str]) -> Aftercare:
    """Read it from an agent's fields; what is wrong is added to `faults`."""
    usual = Aftercare()
    reading = _Reading(faults)
    scoring = reading.mapping(f"{path}.scoring", fields.get("scoring"))
    expects = scoring.get("expects", usual.expects)
    if expects not in list(Expects):
        faults.append(f"{path}.scoring.expects: {expects!r} is not one of {_FORMS}")
        expects = usual.expects
    below = fields.get("hand_over_below")
    return Aftercare(
        share=reading.number(f"{path}.scoring.share", scoring.get("share", usual.share), most=1),
        per_second=reading.number(f"{path}.scoring.per_second", scoring.get("per_second", usual.per_second)),
        expects=Expects(expects),
        empathetic=fields.get("tone") == "empathetic",
        judge=reading.judge(f"{path}.scoring.judge", scoring.get("judge")),
        review=reading.review(f"{path}.review", fields.get("review")),
        hand_over_below=None if below is None else reading.number(f"{path}.hand_over_below", below, most=10),
        failed_queries=reading.count(f"{path}.failed_queries", fields.get("failed_queries", usual.failed_queries)),
        worst_queries=reading.count(f"{path}.worst_queries", fields.get("worst_queries", usual.worst_queries)),
    )


class _Reading:
    def __init__(self, faults: list[str]) -> None:
        self._faults = faults

    def mapping(self, path: str, value: object) -> Mapping[str, Any]:
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self._faults.append(f"{path}: must be an object")
        return {}

    def number(self, path: str, value: object, most: float = 1e9) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
            return float(value)
        self._faults.append(f"{path}: must be a number, 0 to {most:g}")
        return 0.0

    def count(self, path: str, value: object) -> int:
        number = self.number(path, value, most=1_000_000)
        if number == int(number):
            return int(number)
        self._faults.append(f"{path}: must be a whole number")
        return 0

    def judge(self, path: str, value: object) -> JudgeRule | None:
        if value is None:
            return None
        fields = self.mapping(path, value)
        model = fields.get("model")
        if not isinstance(model, str) or not model:
            self._faults.append(f"{path}.model: must be the name of a model")
            return None
        return JudgeRule(
            model,
            self.number(f"{path}.share", fields.get("share", 0.05), most=1),
            self.number(f"{path}.budget_per_day", fields.get("budget_per_day")),
        )

    def review(self, path: str, value: object) -> ReviewRule | None:
        if value is None:
            return None
        fields = self.mapping(path, value)
        by, first, days = fields.get("by"), fields.get("first_outputs"), fields.get("days")
        if not isinstance(by, str) or (first is None) == (days is None):
            self._faults.append(f"{path}: must say `by`, and either `first_outputs` or `days`")
            return None
        return ReviewRule(
            by,
            None if first is None else self.count(f"{path}.first_outputs", first),
            None if days is None else self.count(f"{path}.days", days),
        )
