"""What was measured of one rollout of one agent: counts of both arms, period by period, and the last minutes.

Who fills these in asks Prometheus; who judges them never does. Everything is a count or a sum since the period began,
so that a judgement needs no memory: the same measurements give the same verdict. What
was not measured is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

SCORE_EDGES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 7.5, 8.0, 8.5, 9.0, 10.0)
"""The upper edges of `sluice_quality_score`."""

SECONDS_EDGES = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 30, 60, 120)
"""The upper edges of `sluice_request_duration_seconds`."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values lie in each bucket, not cumulated; the one bucket more than edges holds what is above them."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """The mean, by the exact sum; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """The variance about the middles of the buckets, as if each were even."""
        return _variance(self.edges, self.counts)

    def above(self, edge: float) -> int:
        """Count the values above `edge`; between two edges the lower counts, so that nothing slow is left out."""
        below = sum(1 for one in self.edges if one <= edge)
        return sum(self.counts[below:])

    def quantile(self, share: float) -> float | None:
        """Return below which value `share` of all lie, by a line through its bucket as Prometheus does; None of none.

        What lies above the last edge is said to be at it.
        """
        wanted, below = share * self.count, 0
        for low, high, count in zip((0.0, *self.edges), self.edges, self.counts, strict=False):
            if count and below + count >= wanted:
                return low + (high - low) * (wanted - below) / count
            below += count
        return self.edges[-1] if self.count else None

    def __add__(self, other: Histogram) -> Histogram:
        counts = tuple(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True))
        return Histogram(self.edges, counts, self.total + other.total)


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """What one arm did in a period. `failed` are requests that ended in an error or fell back.

    `failed_users` are the users who met their first failure of this rollout in this period, each counted once.
    """

    requests: int | None = None
    failed: int | None = None
    failed_users: int | None = None
    scores: Histogram | None = None
    seconds: Histogram | None = None
    cost_dollars: float | None = None

    def __add__(self, other: ArmCounts) -> ArmCounts:
        return ArmCounts(
            _sum(self.requests, other.requests),
            _sum(self.failed, other.failed),
            _sum(self.failed_users, other.failed_users),
            self.scores + other.scores if self.scores and other.scores else None,
            self.seconds + other.seconds if self.seconds and other.seconds else None,
            None if self.cost_dollars is None or other.cost_dollars is None else self.cost_dollars + other.cost_dollars,
        )


@dataclass(frozen=True, slots=True)
class Period:
    """At most a day at one weight: both arms over the same time."""

    weight_percent: int
    began: datetime
    candidate: ArmCounts
    baseline: ArmCounts


@dataclass(frozen=True, slots=True)
class Users:
    """How many different users each arm answered."""

    candidate: int
    baseline: int


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests of the last minutes, for what must not wait for statistics."""

    candidate_requests: int
    candidate_failed: int
    baseline_requests: int
    baseline_failed: int

    def __add__(self, other: Recent) -> Recent:
        return Recent(
            self.candidate_requests + other.candidate_requests,
            self.candidate_failed + other.candidate_failed,
            self.baseline_requests + other.baseline_requests,
            self.baseline_failed + other.baseline_failed,
        )


@dataclass(frozen=True, slots=True)
class Newest:
    """When each metric was last scraped for both arms; None where it never was."""

    errors: datetime | None = None
    quality: datetime | None = None
    latency: datetime | None = None
    cost: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that was measured of a rollout since it began; `periods` are in order, the last is running.

    A rollout begins when its candidate gets its first users, and anew when it is resumed after a rollback.
    """

    taken_at: datetime
    periods: tuple[Period, ...] = ()
    recent: Recent | None = None
    newest: Newest = Newest()
    users: Users | None = None
    """Of the whole rollout."""
    users_of_step: Users | None = None
    served_weight_percent: int | None = None
    month_spend_dollars: float | None = None
    """What fine-tuned models cost this month, all agents together."""


def sum_of(arms: Iterable[ArmCounts]) -> ArmCounts | None:
    """Add up an arm over periods; None of no period."""
    total: ArmCounts | None = None
    for arm in arms:
        total = arm if total is None else total + arm
    return total


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@lru_cache(maxsize=4096)
def _variance(edges: tuple[float, ...], counts: tuple[int, ...]) -> float:
    count = sum(counts)
    if count < 2:
        return 0.0
    middles = [(low + high) / 2 for low, high in zip((0.0, *edges), (*edges, edges[-1]), strict=True)]
    mean = sum(middle * number for middle, number in zip(middles, counts, strict=True)) / count
    squares = sum(number * (middle - mean) ** 2 for middle, number in zip(middles, counts, strict=True))
    return squares / (count - 1)
