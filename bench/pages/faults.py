"""A fault for every alert that tells somebody: what is wrong, and what gateways then show instead of what they should.

Agents are asked as often as the first team's: ten answers a minute of either arm, unless the fault is about that. Each
fault comes alone, at once and whole, after as much health as the alert's longest window looks back at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.pages.series import Clock, Counter, Gauge, Series

HOUR: Final = 60
DAY: Final = 24 * HOUR
_A_MINUTE: Final = 10.0
_EDGES: Final = (2.0, 5.0, 10.0, 15.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in words and in series; minutes of health before it, and within how many it fires, and is over."""

    alert: str
    what: str
    series: Series
    before_minutes: int = 2 * HOUR
    every_seconds: int = 30
    at_the_most_minutes: int = 12 * HOUR


def _answers(arm: str = "candidate", **outcomes: tuple[float, float]) -> Series:
    """Shares of the answers by outcome, healthy and faulty."""
    return {
        f'sluice_requests_total{{agent="qa", arm="{arm}", outcome="{outcome}"}}': Counter(
            _A_MINUTE * healthy, _A_MINUTE * faulty
        )
        for outcome, (healthy, faulty) in outcomes.items()
    }


def _scored(healthy: float, faulty: float, *, arm: str = "candidate", dimension: str = "overall") -> Series:
    labels = f'{{agent="qa", arm="{arm}", dimension="{dimension}"}}'
    return {
        f"sluice_quality_score_sum{labels}": Counter(healthy * _A_MINUTE, faulty * _A_MINUTE),
        f"sluice_quality_score_count{labels}": Counter(_A_MINUTE, _A_MINUTE),
    }


def _timed(seconds: float, share: float = 1.0) -> Series:
    """Answers within a second before, and a share of them so late while the fault lasts."""
    labels = 'agent="qa", arm="candidate"'
    late = {edge: _A_MINUTE * (1 if edge >= seconds else 1 - share) for edge in _EDGES}
    return {
        f'sluice_request_duration_seconds_bucket{{{labels}, le="{edge}"}}': Counter(_A_MINUTE, rate)
        for edge, rate in {**{str(edge): rate for edge, rate in late.items()}, "+Inf": _A_MINUTE}.items()
    }


def _late(share: float) -> Series:
    late = {'sluice_slow_answers_total{agent="qa", arm="candidate"}': Counter(0, _A_MINUTE * share)}
    return {**_answers(ok=(1, 1)), **late}


def _weight(kind: str, healthy: float, faulty: float, pod: str = "gateway-1") -> Series:
    return {f'sluice_rollout_weight{{agent="qa", kind="{kind}", pod="{pod}"}}': Gauge(healthy, faulty)}


def _spent(window: str, healthy: float, faulty: float) -> Series:
    return {f'sluice_spend_dollars{{agent="all", window="{window}", models="fine_tuned"}}': Gauge(healthy, faulty)}


def _priced(healthy: float, faulty: float) -> Series:
    return {
        **_answers(ok=(1, 1)),
        **_answers("baseline", ok=(1, 1)),
        'sluice_cost_dollars_total{agent="qa", arm="candidate"}': Counter(healthy * _A_MINUTE, faulty * _A_MINUTE),
        'sluice_cost_dollars_total{agent="qa", arm="baseline"}': Counter(0.015 * _A_MINUTE, 0.015 * _A_MINUTE),
        'sluice_saving_asked{agent="qa"}': Gauge(1, 1),
    }


def _in_days(days: float) -> float:
    """Return the second that is so many days after the fault begins; made time begins two hours before it, at 0."""
    return (2 * HOUR + days * DAY) * 60


_CANARY: Final = _weight("served", 10, 10)
_ALL_BAD: Final = _answers(ok=(1, 0), error=(0, 1))
_BASELINE: Final = _scored(8, 8, arm="baseline")
_WORTHLESS: Final = {**_BASELINE, **_scored(8, 1)}
_ONE_OF_TEN: Final = "the candidate's answers are worth 1 of 10 points, before 8"
_DEAR: Final = _priced(0.0012, 0.015)
_ERRORS: Final = "every answer of the candidate is an error"

FAULTS: Final = (
    Fault("SluiceErrorRateHigh", _ERRORS, _ALL_BAD),
    Fault("SluiceErrorRateCanary", f"{_ERRORS}, at 10 %", {**_ALL_BAD, **_CANARY}),
    Fault("SluiceErrorBudgetFastBurn", _ERRORS, _ALL_BAD, 6 * HOUR),
    Fault(
        "SluiceErrorBudgetSlowBurn",
        "4 % of the candidate's answers are errors",
        _answers(ok=(1, 0.96), error=(0, 0.04)),
        3 * DAY,
        300,
        3 * DAY,
    ),
    Fault(
        "SluiceFallbackShareHigh", "the baseline answers all for the candidate", _answers(ok=(1, 0), fallback=(0, 1))
    ),
    Fault("SluiceBreakerOpen", "the candidate's breaker is open", {'sluice_breaker_open{agent="qa"}': Gauge(0, 1)}),
    Fault("SluiceLatencyHigh", "every answer takes 7 s", _timed(7)),
    Fault("SluiceLatencyCritical", "every answer takes 14 s", _timed(14)),
    Fault("SluiceLatencyTail", "3 % of the answers take 14 s", _timed(14, 0.03)),
    Fault("SluiceLatencyBudgetFastBurn", "every answer is late", _late(1), 6 * HOUR),
    Fault("SluiceLatencyBudgetSlowBurn", "20 % of the answers are late", _late(0.2), 3 * DAY, 300, 3 * DAY),
    Fault(
        "SluiceQualityDrop",
        "the candidate's answers are worth 6.8 points, the baseline's 8",
        {**_BASELINE, **_scored(8, 6.8)},
    ),
    Fault("SluiceQualityDropCritical", _ONE_OF_TEN, _WORTHLESS),
    Fault("SluiceQualityDropCanary", f"{_ONE_OF_TEN}, at 10 %", {**_WORTHLESS, **_CANARY}),
    Fault(
        "SluiceQualityBelowBenchmark", _ONE_OF_TEN, {**_WORTHLESS, 'sluice_benchmark_score{agent="qa"}': Gauge(8, 8)}
    ),
    Fault("SluiceQualityLow", _ONE_OF_TEN, _WORTHLESS),
    Fault("SluiceQualityMeanLow", f"{_ONE_OF_TEN}, with one agent", _WORTHLESS),
    Fault(
        "SluiceSpecificityLow",
        "the candidate's answers have 5 points for being specific, before 8",
        _scored(8, 5, dimension="specificity"),
    ),
    Fault("SluiceDaySpendHigh", "the day's spend passes $5", _spent("day", 4.9, 5.1)),
    Fault(
        "SluiceDaySpendOverEstimate",
        "the day's spend passes twice its estimate",
        {**_spent("day", 1.9, 2.1), 'sluice_estimate_day_dollars{agent="qa"}': Gauge(1, 1)},
    ),
    Fault("SluiceMonthSpend", "the month's spend passes 25 % of the cap", _spent("month", 24, 26)),
    Fault("SluiceMonthCapReached", "the month's spend passes the cap", _spent("month", 99, 101)),
    Fault(
        "SluiceRequestCostHigh", "a request costs $0.0150, before $0.0012", _priced(0.0012, 0.015), DAY, 300, 2 * DAY
    ),
    Fault("SluiceSavingLow", "a request costs $0.0150, before $0.0012", _DEAR, DAY, 300, 2 * DAY),
    Fault("SluiceOverrideActive", "an override is set", {'sluice_override_active{agent="qa"}': Gauge(0, 1)}),
    Fault(
        "SluiceOverrideNotServed",
        "one of two pods has not heard of an override",
        {
            **_weight("allowed", 100, 0),
            **_weight("served", 25, 0),
            **_weight("allowed", 100, 100, "gateway-2"),
            **_weight("served", 25, 25, "gateway-2"),
        },
    ),
    Fault(
        "SluiceWeightNotServed",
        "one of two pods has not heard of a step",
        {
            **_weight("wanted", 25, 25),
            **_weight("served", 25, 25),
            **_weight("served", 25, 10, "gateway-2"),
            'sluice_override_active{agent="qa"}': Gauge(0, 0),
        },
    ),
    Fault(
        "SluiceFlagsStale", "no pod hears the API server any more", {"sluice_cluster_heard_timestamp_seconds": Clock()}
    ),
    Fault(
        "SluiceFlagsBroken",
        "a flag cannot be used",
        {"sluice_flags_broken": Gauge(0, 1), "sluice_override_broken": Gauge(0, 0)},
    ),
    Fault("SluiceReviewBacklog", "52 outputs wait for a person", {'sluice_review_pending{agent="qa"}': Gauge(10, 52)}),
    Fault("SluiceGatewayAbsent", "every gateway pod is gone", {"sluice_requests_in_flight": Gauge(0, None)}),
    Fault(
        "SluiceGuardAbsent", "the guard stands still", {**_CANARY, "sluice_guard_heartbeat_timestamp_seconds": Clock()}
    ),
    Fault("SluiceNoTraffic", "nobody asks any more", _answers(ok=(1, 0)), 8 * DAY, 300),
    Fault("SluiceStoreDown", "a pod loses Redis", {"sluice_store_up": Gauge(1, 0)}),
    Fault(
        "SluiceCertificateExpires",
        "14 days are left of a certificate",
        {'sluice_certificate_expires_timestamp_seconds{name="gateway-tls"}': Gauge(_in_days(104), _in_days(14))},
    ),
    Fault(
        "SluiceCertificateMissing",
        "the Secret with the certificate is gone",
        {'sluice_certificate_expires_timestamp_seconds{name="gateway-tls"}': Gauge(_in_days(90), math.nan)},
    ),
    Fault(
        "SluiceKeyOld",
        "a key passes 90 days",
        {'sluice_key_rotated_timestamp_seconds{key="mistral-api-key"}': Gauge(_in_days(0), _in_days(-90))},
    ),
)

NOT_CLOCKED: Final = {
    "SluicePlannedStep": "it tells nobody, and only holds others back",
    "SluiceMonthRequests": "it looks back at 30 days, more samples than promtool takes; it waits an hour",
}
"""Alerts without a fault here, and why."""

BY_ALERT: Final[Mapping[str, Fault]] = {fault.alert: fault for fault in FAULTS}
