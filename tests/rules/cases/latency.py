from __future__ import annotations

from tests.rules.cases.burning import burn
from tests.rules.series import Case, timed


def _quantile(alert: str, quantile: float, limit: float) -> Case:
    return Case(
        alert,
        firing={
            "a little later than the limit": timed(quantile, limit * 1.04),
            "the baseline, too": timed(quantile, limit * 1.04, arm="baseline"),
            "over six hours, where half of one has too few": timed(
                quantile, limit * 1.04, per_minute=0.4 if quantile < 0.99 else 1.2
            ),
        },
        silent={"a little sooner than the limit": timed(quantile, limit * 0.96)},
        low_traffic={"twelve answers": timed(quantile, limit * 1.4, per_minute=0.1)},
    )


def slow(values: str) -> dict[str, str]:
    return {'sluice_slow_answers_total{agent="qa", arm="candidate"}': values}


LATENCY = (
    _quantile("SluiceLatencyHigh", 0.95, 5),
    _quantile("SluiceLatencyCritical", 0.95, 10),
    _quantile("SluiceLatencyTail", 0.99, 5),
    burn(
        "SluiceLatencyBudgetFastBurn",
        slow,
        bad_is_an_outcome=False,
        quick=(72, 60, 5),
        lasting=(30, 360, 30),
        history=120,
        every_minutes=5,
    ),
    burn(
        "SluiceLatencyBudgetSlowBurn",
        slow,
        bad_is_an_outcome=False,
        quick=(15, 1440, 120),
        lasting=(5, 4320, 360),
        history=1500,
        every_minutes=5,
    ),
)
