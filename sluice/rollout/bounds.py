"""How good or bad an arm can still be by what was seen: bounds that hold at every look at once.

Where a fixed interval is looked at every few minutes it is wrong sooner or later; a confidence sequence is not. For the
share of failures it is the beta-binomial mixture (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021). For means of points it is the one-sided
normal mixture of the same paper, section 3.2, which confseq has as `normal_mixture`, over the information of the
difference with its variance estimated: exact in the limit (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
"Time-uniform central limit theory", 2021), and so only asked after the least sample.
"""

from __future__ import annotations

import math
from functools import lru_cache

_FAILURES, _SUCCESSES = 0.5, 20.0  # a prior with most of its weight below a few percent, where failures are

_LEAST_VARIANCE = 0.25  # of points: what a handful of equal scores is not allowed to fall below
_UNSEEN_ANSWERS = 0.5


def highest_rate(failed: float, requests: float, alpha: float) -> float:
    """Return the highest share of failures that is not refuted, 1 of nothing; wrong with chance `alpha` at most."""
    return _edge(round(failed, 3), round(requests, 3), alpha, upwards=True) if requests > 0 else 1.0


def lowest_rate(failed: float, requests: float, alpha: float) -> float:
    """Return the lowest share of failures that is not refuted, 0 of nothing; wrong with chance `alpha` at most."""
    return _edge(round(failed, 3), round(requests, 3), alpha, upwards=False) if requests > 0 else 0.0


def cautious_variance(variance: float, mean: float, answers: float) -> float:
    """Return the variance of points as if half an answer more had got none at all.

    Points are mostly high and now and then very low; of twenty answers none may have been. Without this, what is said
    to be wrong in 5 % of rollouts is wrong in 15 % where every twentieth answer is rubbish.
    """
    return max(variance, _LEAST_VARIANCE) + _UNSEEN_ANSWERS * mean * mean / answers


def half_width(variance: float, margin: float, alpha: float) -> float:
    """Return how far a difference of means may still lie from its estimate, to one side.

    `variance` is that of the estimate. The sequence is narrowest about where `margin` begins to be told from nothing.
    """
    information = 1 / variance
    needed = (3 / margin) ** 2
    odds = -2 * math.log(2 * alpha)
    rho = needed / (odds + math.log(1 + odds)) if odds > 0 else needed
    reach = math.log(math.sqrt((information + rho) / rho) / (2 * alpha) + 1)
    return math.sqrt(2 * (information + rho) * reach) / information


@lru_cache(maxsize=8192)
def _edge(failed: float, requests: float, alpha: float, *, upwards: bool) -> float:
    """Find by halving where the mixture's evidence against a rate reaches 1/alpha, above or below what was seen."""
    passed = requests - failed
    mixture = _log_beta(_FAILURES + failed, _SUCCESSES + passed) - _log_beta(_FAILURES, _SUCCESSES) + math.log(alpha)
    inner, outer = failed / requests, 1.0 if upwards else 0.0
    for _ in range(40):
        rate = (inner + outer) / 2
        seen = (failed * math.log(rate) if failed else 0.0) + (passed * math.log1p(-rate) if passed else 0.0)
        if mixture >= seen:
            outer = rate
        else:
            inner = rate
    return outer


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
