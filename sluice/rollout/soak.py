"""What a soak's answers come to, as the evidence has it: points, P95 and errors of each candidate, and how long it was.

Values only. Who asks, scores and keeps is `sluice.deploy.soak`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

import yaml

from sluice.registry.evidence import SoakedModel, SoakEvidence, SoakMadeOf
from sluice.registry.soak_contents import digest_of_soak
from sluice.registry.typed import shown_duration, unbuilt

BY = "soak"
"""Whose the override of an exercise is: it is a drill, and no candidate fell by it."""

_HEAD = """\
# yaml-language-server: $schema=../schema/evidence.schema.json
# Written by `sluice soak {environment}`; one that was changed by hand is known by its digest.
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """One query's end. `points` are None where there was no answer of the candidate; `error` says why."""

    agent: str
    number: int
    at: datetime
    seconds: float
    points: float | None
    cost_dollars: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Exercised:
    """Whether every agent was sent to its baseline and back, and whether health checks and alerts were seen to work."""

    rollback: bool
    health_checks: bool
    alerts: bool
    said: tuple[str, ...] = ()
    """What was seen, in sentences."""


def soaked_model(identity: str, answers: Sequence[Answered]) -> SoakedModel:
    """Work out what one candidate did; a P95 of no answers is the longest that the file can say."""
    good = sorted(answer.seconds for answer in answers if answer.points is not None)
    points = [answer.points for answer in answers if answer.points is not None]
    failed = len(answers) - len(good)
    p95 = good[math.ceil(0.95 * len(good)) - 1] if good else 999_999.0
    return SoakedModel(
        identity,
        len(good),
        round(sum(points) / len(points), 2) if points else 0.0,
        timedelta(seconds=round(p95, 3)),
        round(100 * failed / len(answers), 2) if answers else 100.0,
    )


def lasted(answers: Sequence[Answered], slot_seconds: float) -> timedelta:
    """Return how long queries were asked, in whole seconds. A pause counts as two queries' worth at most."""
    moments = sorted(answer.at for answer in answers)
    most = timedelta(seconds=max(60.0, 2 * slot_seconds))
    total = sum((min(later - at, most) for at, later in pairwise(moments)), timedelta())
    return timedelta(seconds=int(total.total_seconds()))


def soak_evidence(
    environment: str,
    models: Mapping[str, SoakedModel],
    time: timedelta,
    exercised: Exercised,
    made_of: SoakMadeOf,
) -> SoakEvidence:
    """Put a soak together, with the digest of all it says."""
    soak = SoakEvidence(
        environment,
        time,
        exercised.rollback,
        exercised.health_checks,
        exercised.alerts,
        MappingProxyType(dict(models)),
        made_of,
    )
    return dataclasses.replace(soak, digest=digest_of_soak(soak))


def evidence_text(soak: SoakEvidence, day: date, notes: str) -> str:
    """Write a soak as a file of evidence."""
    body = unbuilt(soak)
    for name, model in soak.models.items():
        body["models"][name]["p95"] = f"{model.p95.total_seconds():g}s"
    body["lasted"] = shown_duration(soak.lasted)
    document = {"version": 1, "kind": "soak", "date": day, "by": "sluice soak", "notes": notes, "soak": body}
    written = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD.format(environment=soak.environment) + written
