"""Evidence: what was measured of models, or who vouches for them, each in a file of its own in evidence/.

Evidence names the provider's id beside the model, because it is about what was served then: under the same name and
another id it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from sluice.registry.policy import DimensionScores, Role
from sluice.registry.typed import NOT_IN_FILE, InFileAs


class EvidenceKind(StrEnum):
    """What was measured or decided."""

    BENCHMARK = "benchmark"
    SOAK = "soak"
    SIGN_OFF = "sign-off"
    DATA_AUDIT = "data-audit"


@dataclass(frozen=True, slots=True)
class BenchmarkedModel:
    """What one model scored, 0 to 10, over how many tests."""

    id: str
    tests: int
    score: float
    baseline: float


@dataclass(frozen=True, slots=True)
class BenchmarkEvidence:
    """The scores of models, by name, and the means over all of them by dimension."""

    models: Mapping[str, BenchmarkedModel]
    dimensions: DimensionScores = DimensionScores()


@dataclass(frozen=True, slots=True)
class SoakedModel:
    """What one candidate did in a soak."""

    id: str
    queries: int
    quality: float
    p95: timedelta
    error_rate_percent: Annotated[float, InFileAs("error_rate")]


@dataclass(frozen=True, slots=True)
class SoakMadeOf:
    """Digests of what a soak tested beside the models: queries by agent, the scorer, the gateway's image."""

    queries: Mapping[str, str]
    scorer: str
    gateway: str


@dataclass(frozen=True, slots=True)
class SoakEvidence:
    """A long test of candidates in an environment. `digest` is of all the rest of it."""

    environment: str
    lasted: timedelta
    rollback_exercised: bool
    health_checks_seen: bool
    alerts_seen: bool
    models: Mapping[str, SoakedModel]
    made_of: SoakMadeOf | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that had to be true for a sign-off, and whether it is."""

    text: str
    met: bool


@dataclass(frozen=True, slots=True)
class SignOff:
    """Somebody's word that models may go to production: id by name; `ends` is the last day on which it holds."""

    role: Role
    ends: date
    models: Mapping[str, str]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class DataAudit:
    """What is in training data: counts that were not scrubbed, shares in percent."""

    email_addresses: int
    phone_numbers: int
    easy_percent: Annotated[float | None, InFileAs("easy")] = None
    hard_percent: Annotated[float | None, InFileAs("hard")] = None
    easy_wanted_percent: Annotated[float | None, InFileAs("easy_wanted")] = None
    hard_wanted_percent: Annotated[float | None, InFileAs("hard_wanted")] = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One file of evidence: of `kind` one, and the field for that kind is set."""

    name: Annotated[str, NOT_IN_FILE]
    kind: EvidenceKind
    date: date
    by: str | None = None
    notes: str | None = None
    benchmark: BenchmarkEvidence | None = None
    soak: SoakEvidence | None = None
    sign_off: SignOff | None = None
    data_audit: DataAudit | None = None

    def ids(self) -> Mapping[str, str]:
        """Return the provider's id of every model the evidence is about, by the model's name."""
        if self.sign_off is not None:
            return self.sign_off.models
        measured = self.benchmark or self.soak
        if measured is None:
            return MappingProxyType({})
        return MappingProxyType({name: model.id for name, model in measured.models.items()})
