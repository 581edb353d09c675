"""What an answer is worth: points of 10 in four dimensions and overall.

The dimensions are those of the metric `sluice_quality_score`; alerts, the guard and reports compare arms by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Dimension(StrEnum):
    """One way of looking at an answer."""

    OVERALL = "overall"
    QUALITY = "quality"
    RELEVANCE = "relevance"
    FORMAT = "format"
    SPECIFICITY = "specificity"


@dataclass(frozen=True, slots=True)
class Scores:
    """Points of 10, 0 to 10, in every dimension."""

    overall: float
    quality: float
    relevance: float
    format: float
    specificity: float

    def of(self, dimension: Dimension) -> float:
        """Return the points in one dimension."""
        return float(getattr(self, dimension.value))

    def items(self) -> Iterator[tuple[Dimension, float]]:
        """Give every dimension with its points."""
        return ((dimension, self.of(dimension)) for dimension in Dimension)
