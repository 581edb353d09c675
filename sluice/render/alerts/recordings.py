"""What alerts and dashboards are computed from: counts over windows, and the means, shares and quantiles of them.

A window that holds too few answers to say anything has no series of means and quantiles: the longer one stands in, and
where that has too few as well, alerts stay silent. Both arms are always compared over the same window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sluice.render.alerts.expressions import RAW_WINDOWS, limit, percent_of, tiled
from sluice.render.alerts.rule import Recording

QUALITY_WINDOWS: Final = (("1h", 30), ("1d", 10))
"""Windows of quality, the shorter first, and how many scored answers each arm must have in one."""

LATENCY_WINDOWS: Final = ("30m", "6h")
LEAST_ANSWERS: Final = {"p50": 20, "p95": 20, "p99": 100}
"""How many answers a quantile needs, so that it is not the slowest of a handful."""

LEAST_PRICED: Final = 20
"""How many answers the cost of a request is taken over."""

_HOURS = ("2h", "6h")
_DAYS = ("1d", "3d")
_ANSWERS = "sluice:answers:increase"
_SLOW = "sluice:slow_answers:increase"
_QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}


def counts() -> tuple[Recording, ...]:
    """Return what is read from the gateways' own series."""
    raw = [
        recording
        for window in RAW_WINDOWS
        for recording in (
            Recording(
                f"{_ANSWERS}{window}",
                f'sum by (agent, arm, outcome) (increase(sluice_requests_total{{outcome!="rejected"}}[{window}]))',
            ),
            Recording(f"{_SLOW}{window}", f"sum by (agent, arm) (increase(sluice_slow_answers_total[{window}]))"),
        )
    ]
    return (
        *raw,
        Recording(
            "sluice:duration_bucket:increase5m",
            "sum by (agent, arm, le) (increase(sluice_request_duration_seconds_bucket[5m]))",
        ),
        Recording(
            "sluice:quality_sum:increase5m", "sum by (agent, arm, dimension) (increase(sluice_quality_score_sum[5m]))"
        ),
        Recording(
            "sluice:quality_count:increase5m",
            "sum by (agent, arm, dimension) (increase(sluice_quality_score_count[5m]))",
        ),
        Recording("sluice:cost_dollars:increase5m", "sum by (agent, arm) (increase(sluice_cost_dollars_total[5m]))"),
        *(recording for window in RAW_WINDOWS for recording in _percent(window)),
    )


def hours() -> tuple[Recording, ...]:
    """Return what is computed over windows of hours, from counts of five minutes."""
    return (
        *(_tiled(name, window) for window in _HOURS for name in (_ANSWERS, _SLOW)),
        *(recording for window in _HOURS for recording in _percent(window)),
        *_quality_over(*QUALITY_WINDOWS[0]),
        _buckets(LATENCY_WINDOWS[0]),
        *(_first_that_says("quality_mean"), _first_that_says("quality_drop_percent")),
        *_quantiles(),
        *_spend(),
    )


def days() -> tuple[Recording, ...]:
    """Return what is computed over a day and longer, and so need not be done every minute."""
    return (
        *(_tiled(name, window) for window in _DAYS for name in (_ANSWERS, _SLOW)),
        *(recording for window in _DAYS for recording in _percent(window)),
        *_quality_over(*QUALITY_WINDOWS[1]),
        _buckets(LATENCY_WINDOWS[1]),
        *_request_cost(),
    )


def _tiled(name: str, window: str) -> Recording:
    return Recording(f"{name}{window}", tiled(f"{name}5m", window))


def _percent(window: str) -> tuple[Recording, Recording]:
    """Return the shares that the goals are about: answers that were errors, and answers later than wanted."""
    answers = f"{_ANSWERS}{window}"
    return (
        Recording(f"sluice:error_percent:{window}", percent_of(f'{answers}{{outcome="error"}}', answers)),
        Recording(f"sluice:slow_percent:{window}", percent_of(f"{_SLOW}{window}", answers)),
    )


def _quality_over(window: str, least: int) -> tuple[Recording, Recording]:
    scored = tiled("sluice:quality_count:increase5m", window)
    points = tiled("sluice:quality_sum:increase5m", window)
    mean = f"sluice:quality_mean:{window}"
    of = f'sum by (agent) ({mean}{{arm="%s", dimension="overall"}})'
    drop = f"100 * (1 - {of % 'candidate'} / {of % 'baseline'})"
    return (
        Recording(mean, f"{points} / ({scored} >= {least})"),
        Recording(f"sluice:quality_drop_percent:{window}", drop),
    )


def _first_that_says(name: str) -> Recording:
    return Recording(f"sluice:{name}", " or ".join(f"sluice:{name}:{window}" for window, _ in QUALITY_WINDOWS))


def _buckets(window: str) -> Recording:
    return Recording(f"sluice:duration_bucket:{window}", tiled("sluice:duration_bucket:increase5m", window))


def _quantiles() -> Iterator[Recording]:
    for name, quantile in _QUANTILES.items():
        over = [
            f"(histogram_quantile({quantile}, sluice:duration_bucket:{window}) and on (agent, arm) "
            f'(sluice:duration_bucket:{window}{{le="+Inf"}} >= {LEAST_ANSWERS[name]}))'
            for window in LATENCY_WINDOWS
        ]
        yield Recording(f"sluice:duration_seconds:{name}", " or ".join(over))


def _spend() -> Iterator[Recording]:
    for window in ("day", "month"):
        spent = f'sluice_spend_dollars{{agent="all", models="fine_tuned", window="{window}"}}'
        yield Recording(f"sluice:spend_dollars:{window}", f"max by (agent) ({spent})")
    of_cap = f"100 * sluice:spend_dollars:month / on (agent) {limit('spend_month_cap_dollars')}"
    yield Recording("sluice:spend_cap_percent", of_cap)
    estimate = "sum(max by (agent) (sluice_estimate_day_dollars))"
    yield Recording("sluice:estimate_day_dollars", estimate, {"agent": "all"})
    yield Recording("sluice:all_answers:increase5m", f"sum({_ANSWERS}5m)", {"agent": "all"})


def _request_cost() -> Iterator[Recording]:
    spent = f"sum by (agent, arm) ({tiled('sluice:cost_dollars:increase5m', '1d')})"
    answered = f'sum by (agent, arm) ({_ANSWERS}1d{{outcome!="error"}})'
    yield Recording("sluice:request_cost_dollars:1d", f"{spent} / ({answered} >= {LEAST_PRICED})")
    yield Recording("sluice:all_answers:30d", tiled("sluice:all_answers:increase5m", "30d"))
