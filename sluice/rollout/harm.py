"""Evidence that the candidate does harm, which may be looked at as often as one likes.

Of all answers that failed, were slow, or got few points, the candidate has its share of the traffic if it is no worse
than the baseline at that moment. So only who met the event counts, and what moves both arms alike moves nothing: the
hour, the provider, the questions. Each event multiplies the evidence by how much better "the candidate meets it r times
as often" explains it than chance does. The product is a martingale under no harm, and a supermartingale where the
candidate is better, whatever r; so is any mixture over r, and its chance of ever reaching 1/alpha is at most alpha
(Ville). Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022), mix over the share,
which gives the beta-binomial; here the mixture is over the ratio r, because the share changes with the
weight and r does not.

A candidate may turn bad after days: mixed too is from which period on the evidence is counted, three quarters of it
from the first. Evidence is returned as its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Shares:
    """One period: by class of event, how many there were, and how many of them on the candidate.

    `share` is the candidate's part where it does no harm. `counts_as` is what one event counts, less than 1 where
    events of one user come together.
    """

    share: float
    candidate: tuple[float, ...]
    both: tuple[float, ...]
    counts_as: float = 1.0


_FROM_THE_FIRST = 0.75

Alternative = tuple[float, ...]
"""By class of event, the logarithm of how many times as often a candidate that does harm meets it."""

MANY_TIMES: tuple[Alternative, ...] = tuple(
    (math.log(ratio),) for ratio in (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
)
"""For one class of event. The largest ratios stand for a candidate that does nothing else."""


def tilts(middles: Sequence[float], centres: Sequence[float], steepness: Sequence[float]) -> tuple[Alternative, ...]:
    """Return alternatives by which low values are met more often and high ones less, by their middles.

    Between two bell curves of one width, shifted against each other, the logarithm of the ratio is such a line.
    """
    return tuple(
        tuple(max(-6.0, min(6.0, steep * (centre - middle))) for middle in middles)
        for centre in centres
        for steep in steepness
    )


def log_evidence(periods: Sequence[Shares], alternatives: tuple[Alternative, ...]) -> float:
    """Return the logarithm of the evidence of harm in these periods, oldest first; 0 of none.

    Harm is shown at a chance of alpha where this reaches log(1/alpha).
    """
    if not periods:
        return 0.0
    since = [0.0] * len(alternatives)
    parts: list[float] = []
    prior = -math.log(len(alternatives))
    for position in range(len(periods) - 1, -1, -1):
        period = periods[position]
        logs = _of_events(period.share, period.candidate, period.both, alternatives)
        since = [old + period.counts_as * new for old, new in zip(since, logs, strict=True)]
        start = prior + _log_weight_of_start(position)
        parts.extend(start + one for one in since)
    # What is left of the prior is for periods that have not begun: they have shown nothing, which is evidence 1.
    parts.append(_log_weight_of_later_starts(len(periods)))
    highest = max(parts)
    return highest + math.log(sum(math.exp(part - highest) for part in parts))


def answers_count_as(answers: float, users: int | None, alike: float) -> float:
    """Return what one answer counts where `users` gave rise to `answers`, and those of one user are alike.

    The design effect of cluster samples (Kish, "Survey Sampling", 1965). Where nobody counted the users, ten answers a
    user are taken for granted.
    """
    each = answers / users if users else 10.0
    return 1 / (1 + max(0.0, each - 1) * alike)


@lru_cache(maxsize=4096)
def _of_events(
    share: float, candidate: tuple[float, ...], both: tuple[float, ...], alternatives: tuple[Alternative, ...]
) -> tuple[float, ...]:
    """Return for each alternative the logarithm of how much better it explains a period's events than chance does."""
    if not 0 < share < 1:
        return (0.0,) * len(alternatives)
    met = [(index, mine, all_) for index, (mine, all_) in enumerate(zip(candidate, both, strict=True)) if all_]
    return tuple(
        sum(
            mine * ratios[index] - all_ * math.log(share * math.exp(ratios[index]) + 1 - share)
            for index, mine, all_ in met
        )
        for ratios in alternatives
    )


def _log_weight_of_start(position: int) -> float:
    return math.log(_FROM_THE_FIRST if position == 0 else (1 - _FROM_THE_FIRST) / (position * (position + 1)))


def _log_weight_of_later_starts(periods: int) -> float:
    return math.log((1 - _FROM_THE_FIRST) / periods)
