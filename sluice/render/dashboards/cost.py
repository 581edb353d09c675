"""Money: what was spent against budgets and cap, where a month at this pace ends, and what the candidates save."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.panels import COST, Panel
from sluice.render.alerts.spend import CAP_STEPS
from sluice.render.dashboards.shown import MOST_LINES, Dashboard, Kind, Line, Query, Shown, Unit, highest, lowest

_OF_ALL: Final = 'agent="all"'
_MONTH: Final = "sum(sluice:spend_dollars:month)"

_ELAPSED_DAYS: Final = "clamp_min(day_of_month() - 1 + hour() / 24 + minute() / 1440, 1)"
"""Of this UTC month. In its first day the pace of a few minutes would say nothing of thirty days."""


def _budget(name: str) -> str:
    return f'max(sluice_threshold{{{_OF_ALL}, name="{name}"}})'


def _request(arm: str) -> str:
    return f'sum by (agent) (sluice:request_cost_dollars:1d{{arm="{arm}"}})'


def _spent(window: str) -> str:
    return f'max by (agent) (sluice_spend_dollars{{agent!="all", models="all", window="{window}"}})'


_SAVED: Final = (
    f"({_request('baseline')} - {_request('candidate')}) * on (agent) "
    'sum by (agent) (sluice:answers:increase1d{arm="candidate", outcome!="error"})'
)

COST_DASHBOARD: Final = Dashboard(
    COST,
    "Sluice: cost",
    "What fine-tuned models cost against estimate, budget and cap, and what they save beside their baselines.",
    (
        Shown(
            Panel.DAY_SPEND,
            "Spent today",
            "What fine-tuned models have cost since midnight UTC, by all replicas, beside what the expected traffic "
            "costs a day and the two limits of a day.",
            Unit.DOLLARS,
            (
                Query("sum(sluice:spend_dollars:day)", "spent"),
                Query("sum(sluice:estimate_day_dollars)", "estimate of a day", Line.EXPECTED),
                Query(
                    f"sum(max_over_time(sluice:estimate_day_dollars[1d])) * {_budget('spend_day_times_estimate')}",
                    "too far above the estimate",
                    Line.WARNING,
                ),
                Query(_budget("spend_day_warning_dollars"), "limit", Line.WARNING),
            ),
            decimals=2,
        ),
        Shown(
            Panel.MONTH_SPEND,
            "Spent this month",
            "What fine-tuned models have cost since the month began in UTC, and where it ends: at the month's own "
            "pace, and with what the expected traffic costs on each day that is left.",
            Unit.DOLLARS,
            (
                Query(_MONTH, "spent"),
                Query(f"{_MONTH} * days_in_month() / {_ELAPSED_DAYS}", "month's end, at this pace", Line.EXPECTED),
                Query(
                    f"{_MONTH} + sum(sluice:estimate_day_dollars) * (days_in_month() - {_ELAPSED_DAYS})",
                    "month's end, by the estimate",
                    Line.EXPECTED,
                ),
                Query(_budget("spend_month_budget_dollars"), "budget", Line.WARNING),
                Query(_budget("spend_month_cap_dollars"), "cap", Line.CRITICAL),
            ),
            decimals=2,
        ),
        Shown(
            Panel.CAP,
            "How much of the cap is spent",
            "At 100 %, budgets.month.at_cap of models.yaml decides who answers. People are told at each dashed line.",
            Unit.PERCENT,
            (
                Query("sum(sluice:spend_cap_percent)", "spent"),
                *(Query(f"vector({percent})", f"{percent} %", Line.WARNING) for percent in CAP_STEPS),
                Query("vector(100)", "the cap", Line.CRITICAL),
            ),
            decimals=0,
        ),
        Shown(
            Panel.MONTH_REQUESTS,
            "Requests in 30 days",
            "Answers of all agents, and how many the budget was made for. The series is whole when Prometheus has "
            "kept 30 days.",
            Unit.COUNT,
            (
                Query("sum(sluice:all_answers:30d)", "answered"),
                Query(_budget("spend_month_requests"), "budgeted", Line.WARNING),
            ),
        ),
        Shown(
            Panel.SAVED,
            "Saved in a day",
            "What the candidate's answers of a day would have cost more at its baseline's price of a request. An agent "
            "is missing where either arm had too few answers, as at 100 %.",
            Unit.DOLLARS,
            (
                Query(highest(_SAVED), "{{agent}}"),
                Query(f"sum({_SAVED})", "all agents", Line.EXPECTED),
            ),
            decimals=2,
            no_value="Too few answers",
        ),
        Shown(
            Panel.SAVINGS,
            "Cheaper than the baseline",
            "By how much a request to a candidate is cheaper than one to its baseline; the lowest of the agents.",
            Unit.PERCENT,
            (
                Query(lowest(f"100 * (1 - {_request('candidate')} / {_request('baseline')})"), "{{agent}}"),
                Query(
                    'max(sluice_threshold{agent!="all", name="request_cost_saving_percent"})', "wanted", Line.WARNING
                ),
            ),
            decimals=0,
            no_value="Too few answers",
        ),
        Shown(
            Panel.AGENTS_SPEND,
            "Who spends it",
            f"The {MOST_LINES} agents that spent most this month, on all models, baselines included.",
            Unit.DOLLARS,
            (
                Query(f"topk({MOST_LINES}, {_spent('month')})", "This month", unit=Unit.DOLLARS),
                Query(
                    f"{_spent('day')} and on (agent) topk({MOST_LINES}, {_spent('month')})", "Today", unit=Unit.DOLLARS
                ),
            ),
            kind=Kind.TABLE,
            columns=(("agent", "Agent"),),
            leads_to_agent=True,
        ),
        Shown(
            Panel.ARMS_SPEND,
            "Dollars an hour",
            "What candidates and baselines cost, by the tokens that providers counted.",
            Unit.DOLLARS,
            (Query("12 * sum by (arm) (sluice:cost_dollars:increase5m)", "{{arm}}"),),
            kind=Kind.STACKED,
            decimals=3,
        ),
        Shown(
            Panel.TOKENS,
            "Tokens a minute",
            "What was sent to models and what came back, by arm.",
            Unit.COUNT,
            (
                Query(
                    "60 * sum by (arm, direction) (rate(sluice_tokens_total[$__rate_interval]))",
                    "{{arm}} {{direction}}",
                ),
            ),
            kind=Kind.STACKED,
            width=24,
        ),
    ),
    hours=7 * 24,
)
