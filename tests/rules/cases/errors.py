from __future__ import annotations

from tests.rules.cases.burning import burn
from tests.rules.series import Case, Series, answers, flat, rising, steady, weight


def errors(values: str) -> dict[str, str]:
    return answers(values, outcome="error")


def share(outcome: str, percent: float, per_minute: float = 10, arm: str = "candidate") -> Series:
    return {
        **answers(steady(per_minute * (1 - percent / 100)), arm=arm),
        **answers(steady(per_minute * percent / 100), outcome=outcome, arm=arm),
    }


def few(outcome: str, number: float, minutes: int) -> Series:
    """So many in so many minutes, half of all there were."""
    return share(outcome, 50, per_minute=2 * number / minutes)


def _of_the_candidate(outcome: str, also: Series) -> dict[str, dict[str, Series]]:
    return {
        "firing": {
            "a little more than the limit": {**share(outcome, 5.2), **also},
            "three of six": {**few(outcome, 3.2, 30), **also},
        },
        "silent": {
            "a little less than the limit": {**share(outcome, 4.8), **also},
            "of the baseline": {**share(outcome, 50, arm="baseline"), **also},
        },
        "low_traffic": {"two of five": {**few(outcome, 2.8, 30), **also}},
    }


_CANARY = _of_the_candidate("error", weight(10))

ERRORS = (
    Case(
        "SluiceErrorRateHigh",
        firing={
            "a little more than the limit": share("error", 5.2),
            "three of six": few("error", 3.2, 60),
        },
        silent={
            "a little less than the limit": share("error", 4.8),
            "refused requests are no errors": {**share("error", 0), **share("rejected", 50)},
        },
        low_traffic={"two of five": few("error", 2.8, 60)},
    ),
    Case(
        "SluiceErrorRateCanary",
        firing={**_CANARY["firing"], "at the highest step": {**share("error", 5.2), **weight(95)}},
        silent={
            **_CANARY["silent"],
            "everybody is on the candidate": {**share("error", 5.2), **weight(100)},
            "nobody is": {**share("error", 5.2), **weight(0)},
        },
        low_traffic=_CANARY["low_traffic"],
    ),
    burn(
        "SluiceErrorBudgetFastBurn",
        errors,
        bad_is_an_outcome=True,
        quick=(14.4, 60, 5),
        lasting=(6, 360, 30),
        history=120,
        every_minutes=5,
    ),
    burn(
        "SluiceErrorBudgetSlowBurn",
        errors,
        bad_is_an_outcome=True,
        quick=(3, 1440, 120),
        lasting=(1, 4320, 360),
        history=1500,
        every_minutes=5,
    ),
    Case("SluiceFallbackShareHigh", **_of_the_candidate("fallback", {})),  # type: ignore[arg-type]
    Case(
        "SluiceBreakerOpen",
        firing={
            "for long": {'sluice_breaker_open{agent="qa"}': flat(1)},
            "with a trial every other minute": {'sluice_breaker_open{agent="qa"}': "1 0 " * 120},
        },
        silent={
            "closed": {'sluice_breaker_open{agent="qa"}': flat(0)},
            "for three minutes": {'sluice_breaker_open{agent="qa"}': f"{flat(0, 116)} {flat(1, 2)} {flat(0, 60)}"},
        },
        low_traffic={"without a request": {'sluice_breaker_open{agent="qa"}': flat(1), **answers(rising((0, 200)))}},
        low_traffic_fires=True,
    ),
)
