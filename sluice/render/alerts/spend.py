"""Alerts on money: what fine-tuned models cost together, a day and a month, and what a request costs an agent."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.commands import CALLERS, FAILED, FLAGS, LOG
from sluice.render.alerts.expressions import limit, shown_limit
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.rule import Alert, Severity

CAP_STEPS: Final = (25, 50, 83)
"""The percentages of the month's cap that people are told of, beside all of it."""

_WORTH_A_WORD: Final = 0.1
"""Twice an estimate of cents is still cents: below this part of the day's warning nobody is told."""

_WHO = f"See which agents have candidates: {FLAGS}"
_WHY = f"See whether the baseline answers for it: {FAILED}"
_COST = 'sum by (agent) (sluice:request_cost_dollars:1d{arm="%s"})'


def _step(percent: int, next_percent: int) -> Alert:
    return Alert(
        "SluiceMonthSpend",
        Severity.WARNING,
        f"(sluice:spend_cap_percent >= {percent}) < {next_percent}",
        "5m",
        f"{percent} % of the month's cap is spent",
        'Fine-tuned models have cost {{ $value | printf "%.0f" }} % of this month\'s cap of '
        f"{shown_limit('spend_month_cap_dollars')} dollars. At all of it, models.yaml's budgets.month.at_cap decides. "
        f"{_WHO}",
        Panel.CAP,
        labels={"percent": str(percent)},
    )


SPEND: Final = (
    Alert(
        "SluiceDaySpendHigh",
        Severity.WARNING,
        f"sluice:spend_dollars:day > on (agent) {limit('spend_day_warning_dollars')}",
        "5m",
        "Today cost more than a day should",
        'Fine-tuned models have cost {{ $value | printf "%.2f" }} dollars since midnight UTC; the limit is '
        f"{shown_limit('spend_day_warning_dollars')}. {_WHO}",
        Panel.DAY_SPEND,
    ),
    Alert(
        "SluiceDaySpendOverEstimate",
        Severity.WARNING,
        "sluice:spend_dollars:day > on (agent) max_over_time(sluice:estimate_day_dollars[1d]) * on (agent) "
        f"{limit('spend_day_times_estimate')} and on (agent) "
        f"sluice:spend_dollars:day > on (agent) {_WORTH_A_WORD} * {limit('spend_day_warning_dollars')}",
        "5m",
        "Today cost far more than estimated",
        'Fine-tuned models have cost {{ $value | printf "%.2f" }} dollars since midnight UTC, more than '
        f"{shown_limit('spend_day_times_estimate')} times what the expected traffic costs a day. {_WHO}",
        Panel.DAY_SPEND,
    ),
    *(_step(percent, following) for percent, following in zip(CAP_STEPS, (*CAP_STEPS[1:], 100), strict=True)),
    Alert(
        "SluiceMonthCapReached",
        Severity.CRITICAL,
        "sluice:spend_cap_percent >= 100",
        "1m",
        "The month's cap is spent",
        'Fine-tuned models have cost {{ $value | printf "%.0f" }} % of this month\'s cap of '
        f"{shown_limit('spend_month_cap_dollars')} dollars; the baselines answer now, or nobody, as models.yaml's "
        f"budgets.month.at_cap says. See it in its log: {LOG}",
        Panel.CAP,
    ),
    Alert(
        "SluiceMonthRequests",
        Severity.WARNING,
        f"sluice:all_answers:30d > on (agent) {limit('spend_month_requests')}",
        "1h",
        "More requests than the budget was made for",
        '{{ $value | printf "%.0f" }} requests were answered in the last 30 days; the budget was made for '
        f"{shown_limit('spend_month_requests')}. See who may ask: {CALLERS}",
        Panel.MONTH_REQUESTS,
    ),
    Alert(
        "SluiceRequestCostHigh",
        Severity.WARNING,
        f"{_COST % 'candidate'} > on (agent) {limit('request_cost_goal_dollars')}",
        "1h",
        "{{ $labels.agent }}: a request costs too much",
        "A request to the candidate of {{ $labels.agent }} cost "
        '{{ $value | printf "%.4f" }} dollars on average in a day; the goal is '
        f"{shown_limit('request_cost_goal_dollars')}. {_WHY}",
        Panel.REQUEST_COST,
    ),
    Alert(
        "SluiceSavingLow",
        Severity.WARNING,
        # As the gates ask it: a baseline that was fine-tuned itself costs what its successor does.
        f"100 * (1 - {_COST % 'candidate'} / {_COST % 'baseline'}) < on (agent) {limit('request_cost_saving_percent')} "
        "and on (agent) max by (agent) (sluice_saving_asked) == 1",
        "1h",
        "{{ $labels.agent }}: the candidate saves too little",
        "In a day, a request to the candidate of {{ $labels.agent }} was "
        '{{ $value | printf "%.0f" }} % cheaper than one to its baseline; wanted are '
        f"{shown_limit('request_cost_saving_percent')} %. {_WHY}",
        Panel.SAVING,
    ),
)
