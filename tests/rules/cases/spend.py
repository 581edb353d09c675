from __future__ import annotations

from tests.rules.series import Case, Series, answers, flat, rising, steady


def spent(dollars: float, window: str = "day") -> dict[str, str]:
    return {f'sluice_spend_dollars{{agent="all", window="{window}", models="fine_tuned"}}': flat(dollars)}


def estimated(dollars: float) -> dict[str, str]:
    """For a day, of two agents together."""
    return {f'sluice_estimate_day_dollars{{agent="{agent}"}}': flat(dollars / 2) for agent in ("qa", "legal")}


def asked(number: float) -> Series:
    return answers(rising((number / 30, 30), (0, 210)))


def priced(candidate: float, baseline: float = 0.015, per_minute: float = 1, saving_asked: int = 1) -> Series:
    """What a request costs on average, in dollars."""
    return {
        'sluice_saving_asked{agent="qa"}': flat(saving_asked),
        **answers(steady(per_minute)),
        **answers(steady(per_minute), arm="baseline"),
        'sluice_cost_dollars_total{agent="qa", arm="candidate"}': steady(candidate * per_minute),
        'sluice_cost_dollars_total{agent="qa", arm="baseline"}': steady(baseline * per_minute),
    }


SPEND = (
    Case(
        "SluiceDaySpendHigh",
        firing={"a little more than the limit": spent(5.2)},
        silent={"a little less than the limit": spent(4.8), "the month's": spent(20, "month")},
        low_traffic={"a cent": spent(0.01)},
    ),
    Case(
        "SluiceDaySpendOverEstimate",
        firing={
            "a little more than twice": {**spent(2.1), **estimated(1)},
            "worth a word": {**spent(0.52), **estimated(0.24)},
        },
        silent={"a little less than twice": {**spent(1.9), **estimated(1)}},
        low_traffic={"not worth a word": {**spent(0.49), **estimated(0.24)}, "a cent": {**spent(0.01), **estimated(0)}},
    ),
    Case(
        "SluiceMonthSpend",
        firing={f"{dollars} of 100": spent(dollars, "month") for dollars in (25.5, 49, 51, 82, 84, 99)},
        silent={"24.5 of 100": spent(24.5, "month"), "all of it": spent(101, "month"), "a day's": spent(60)},
        low_traffic={"a cent": spent(0.01, "month")},
    ),
    Case(
        "SluiceMonthCapReached",
        firing={"all of it": spent(101, "month")},
        silent={"nearly all of it": spent(99, "month"), "a day's": spent(110)},
        low_traffic={"a cent": spent(0.01, "month")},
    ),
    Case(
        "SluiceMonthRequests",
        firing={"a few more": asked(15600)},
        silent={"a few less": asked(14400)},
        low_traffic={"ten": asked(10)},
    ),
    Case(
        "SluiceRequestCostHigh",
        firing={"a little more than the goal": priced(0.0031)},
        silent={"a little less than the goal": priced(0.0029)},
        low_traffic={"fifteen answers": priced(0.03, per_minute=0.1)},
        at_minutes=150,
    ),
    Case(
        "SluiceSavingLow",
        firing={"a little less than wanted": priced(0.00315)},
        silent={
            "a little more than wanted": priced(0.00285),
            "beside a baseline that was fine-tuned itself": priced(0.0016, baseline=0.0016, saving_asked=0),
        },
        low_traffic={"fifteen answers": priced(0.03, per_minute=0.1)},
        at_minutes=150,
    ),
)
