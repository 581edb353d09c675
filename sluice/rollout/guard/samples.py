"""What Prometheus' samples say: requests by how they ended, users, histograms. A missing series is None, never 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluice.rollout.measurements import Histogram, Users

Samples = Sequence[tuple[Mapping[str, str], float]]
"""Values by their labels."""

_FAILED = ("error", "fallback")
_ANSWERED = ("ok", *_FAILED)


def of_outcomes(samples: Samples, arm: str) -> tuple[int, int] | None:
    """Return how many requests an arm had and how many failed; None where its series are missing."""
    counts = {labels.get("outcome"): value for labels, value in samples if labels.get("arm") == arm}
    if not counts.keys() & set(_ANSWERED):
        return None
    failed = round(sum(counts.get(outcome, 0) for outcome in _FAILED))
    return round(counts.get("ok", 0)) + failed, failed


def of_arm(samples: Samples, arm: str) -> int | None:
    """Return an arm's count; None where its series is missing."""
    return next((round(value) for labels, value in samples if labels.get("arm") == arm), None)


def users_per(per: str, samples: Samples) -> Users | None:
    """Return how many users each arm answered first; None where one's series are missing."""
    counted = [sample for sample in samples if sample[0].get("per") == per]
    candidate, baseline = of_arm(counted, "candidate"), of_arm(counted, "baseline")
    return None if candidate is None or baseline is None else Users(candidate, baseline)


def all_of(users: Sequence[Users | None]) -> Users | None:
    """Add up over stretches; None where one was not counted: what is known of the others is not all."""
    known = [one for one in users if one is not None]
    if len(known) != len(users):
        return None
    return Users(sum(one.candidate for one in known), sum(one.baseline for one in known))


def histogram(
    edges: tuple[float, ...],
    buckets: Samples,
    sums: Samples,
    arm: str,
) -> Histogram | None:
    """Return an arm's histogram; None where it is missing or has other edges than are known here."""
    by_edge = {labels["le"]: value for labels, value in buckets if labels.get("arm") == arm and "le" in labels}
    return histogram_of(edges, by_edge, next((value for labels, value in sums if labels.get("arm") == arm), None))


def histogram_of(edges: tuple[float, ...], buckets: Mapping[str, float], total: float | None) -> Histogram | None:
    """Return the histogram of cumulated counts by their `le`, and of their sum; None as `histogram` does."""
    by_edge = {float(edge): value for edge, value in buckets.items()}
    if total is None or sorted(by_edge) != [*edges, float("inf")]:
        return None
    cumulated = [round(by_edge[edge]) for edge in sorted(by_edge)]
    # Rounding each by itself may let one fall below the one before.
    counts = tuple(max(0, above - below) for below, above in zip([0, *cumulated], cumulated, strict=False))
    # Prometheus extrapolates counts and sums alike: 1.4 answers with 11 points are not one answer with 11.
    counted = by_edge[float("inf")]
    return Histogram(edges, counts, total / counted * sum(counts) if counted else 0.0)
