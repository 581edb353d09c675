"""One agent: what its answers are worth, how long they take, what they cost, and who must look at them, by arm.

Limits are drawn from the registry's own series, so what is drawn is what alerts hold.
"""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.latency import SLOW_PERCENT_ALLOWED
from sluice.render.alerts.panels import AGENT, Panel
from sluice.render.alerts.rollout import REVIEW_BACKLOG
from sluice.render.dashboards.shown import Dashboard, Kind, Line, Query, Shown, Unit

_OF: Final = 'agent="$agent"'


def _limit(name: str, legend: str, line: Line, unit: Unit | None = None, agent: str = "$agent") -> Query:
    return Query(f'max(sluice_threshold{{agent="{agent}", name="{name}"}})', legend, line, unit)


def _quality(dimension: str) -> Query:
    return Query(f'sum by (arm) (sluice:quality_mean{{{_OF}, dimension="{dimension}"}})', "{{arm}}")


def _share(outcome: str, arms: str = "") -> str:
    counted = f"sluice:answers:increase30m{{{_OF}{arms}"
    return f'100 * sum by (arm) ({counted}, outcome="{outcome}"}}) / (sum by (arm) ({counted}}}) > 0)'


def _quantile(name: str) -> Query:
    return Query(f"sum by (arm) (sluice:duration_seconds:{name}{{{_OF}}})", f"{{{{arm}}}} {name.upper()}")


def _cost(arm: str) -> str:
    return f'sum(sluice:request_cost_dollars:1d{{{_OF}, arm="{arm}"}})'


def _weight(kind: str, of_pods: str) -> str:
    return f'{of_pods}(sluice_rollout_weight{{{_OF}, kind="{kind}"}})'


_FEW_SCORED: Final = "Too few scored answers"
_FEW_ANSWERS: Final = "Too few answers"

AGENT_DASHBOARD: Final = Dashboard(
    AGENT,
    "Sluice: agent",
    "One agent: its candidate beside its baseline, against the registry's limits.",
    (
        Shown(
            Panel.QUALITY,
            "Quality",
            "Points of 10 by the built-in scorer, the mean of an hour or, where that has too few answers, of a day. "
            "The benchmark is what the candidate had before it met users.",
            Unit.POINTS,
            (
                _quality("overall"),
                Query(f"max(sluice_benchmark_score{{{_OF}}})", "benchmark", Line.EXPECTED),
                _limit("quality_least", "least", Line.WARNING),
                Query(
                    f"max(sluice_benchmark_score{{{_OF}}}) * "
                    f'(1 - max(sluice_threshold{{{_OF}, name="quality_drop_warning_percent"}}) / 100)',
                    "too far below the benchmark",
                    Line.WARNING,
                ),
            ),
            decimals=2,
            no_value=_FEW_SCORED,
        ),
        Shown(
            Panel.DROP,
            "Quality below the baseline",
            "By how much the candidate's answers are worth less than the baseline's of the same time; below 0 they are "
            "worth more. The canary's limit holds between the first and the last step.",
            Unit.PERCENT,
            (
                Query(f"sluice:quality_drop_percent{{{_OF}}}", "worse by"),
                _limit("quality_drop_warning_percent", "warning", Line.WARNING),
                _limit("quality_drop_canary_percent", "ends the canary", Line.CRITICAL),
                _limit("quality_drop_critical_percent", "critical", Line.CRITICAL),
            ),
            decimals=1,
            no_value=_FEW_SCORED,
        ),
        Shown(
            Panel.DIMENSIONS,
            "Quality by dimension",
            "What the points are made of, both arms: is it the content, the form, or that it says nothing specific?",
            Unit.POINTS,
            (
                Query(
                    f'sum by (arm, dimension) (sluice:quality_mean{{{_OF}, dimension!="overall"}})',
                    "{{arm}} {{dimension}}",
                ),
            ),
            decimals=2,
            no_value=_FEW_SCORED,
        ),
        Shown(
            Panel.SPECIFICITY,
            "Specificity",
            "Points of 10 for being specific, the weakest dimension of the benchmark, and what the next iteration of "
            "models wants.",
            Unit.POINTS,
            (_quality("specificity"), _limit("specificity_wanted", "wanted", Line.GOAL, agent="all")),
            decimals=2,
            no_value=_FEW_SCORED,
        ),
        Shown(
            Panel.LATENCY,
            "Latency",
            "How long all but 50, 5 and 1 of 100 answers took at the most, over half an hour or, where that has too "
            "few answers, six. To the last byte: a stream counts whole.",
            Unit.SECONDS,
            (
                *(_quantile(name) for name in ("p50", "p95", "p99")),
                _limit("p95_goal_seconds", "P95 wanted", Line.GOAL),
                _limit("p99_goal_seconds", "P99 wanted", Line.GOAL),
                _limit("p95_warning_seconds", "P95 warning", Line.WARNING),
                _limit("p95_rollback_seconds", "P95 ends the rollout", Line.CRITICAL),
            ),
            no_value=_FEW_ANSWERS,
        ),
        Shown(
            Panel.LATE,
            "Answers later than the goal",
            "The share of answers that took longer than the goal of the 95th percentile. 5 of 100 may; many times "
            "that, over a long window and a short one, is what pages.",
            Unit.PERCENT,
            (
                Query(f"sluice:slow_percent:5m{{{_OF}}}", "5 minutes"),
                Query(f"sluice:slow_percent:1h{{{_OF}}}", "1 hour"),
                Query(f"sluice:slow_percent:6h{{{_OF}}}", "6 hours"),
                Query(f"sluice:slow_percent:1d{{{_OF}}}", "1 day"),
                Query(f"vector({SLOW_PERCENT_ALLOWED})", "allowed", Line.GOAL),
            ),
            decimals=1,
            no_value=_FEW_ANSWERS,
        ),
        Shown(
            Panel.REQUESTS,
            "Requests a minute",
            "By arm and by how they ended: ok, an error that the caller saw, or a fall-back, which the baseline "
            "answered for the candidate. Rejected ones were refused for what they are: a limit, a key, a dangerous "
            "prompt.",
            Unit.COUNT,
            (
                Query(f"sum by (arm, outcome) (sluice:answers:increase5m{{{_OF}}}) / 5", "{{arm}} {{outcome}}"),
                Query(
                    f'60 * sum(rate(sluice_requests_total{{{_OF}, outcome="rejected"}}[$__rate_interval]))', "rejected"
                ),
            ),
            kind=Kind.STACKED,
        ),
        Shown(
            Panel.ERRORS,
            "Errors",
            "The share of answers that were errors to their callers: of each arm in half an hour, and of both over the "
            "windows that alerts look at.",
            Unit.PERCENT,
            (
                Query(_share("error"), "{{arm}}, 30 minutes"),
                Query(f"sluice:error_percent:5m{{{_OF}}}", "both, 5 minutes"),
                Query(f"sluice:error_percent:1h{{{_OF}}}", "both, 1 hour"),
                Query(f"sluice:error_percent:6h{{{_OF}}}", "both, 6 hours"),
                Query(f"sluice:error_percent:1d{{{_OF}}}", "both, 1 day"),
                _limit("error_rate_goal_percent", "goal", Line.GOAL),
                _limit("error_rate_canary_percent", "ends the canary", Line.CRITICAL),
                _limit("error_rate_critical_percent", "critical", Line.CRITICAL),
            ),
            decimals=1,
            no_value=_FEW_ANSWERS,
        ),
        Shown(
            Panel.FALLBACKS,
            "Fall-backs",
            "How many of the candidate's requests the baseline had to answer, and on the right whether the model that "
            "should answer first is left alone because it failed again and again. Callers see neither.",
            Unit.PERCENT,
            (
                Query(_share("fallback", ', arm="candidate"'), "fall-backs"),
                _limit("error_rate_critical_percent", "limit", Line.WARNING),
                Query(f"max(sluice_breaker_open{{{_OF}}})", "left alone", unit=Unit.YES_OR_NO),
            ),
            decimals=1,
            no_value=_FEW_ANSWERS,
        ),
        Shown(
            Panel.USERS,
            "Users of the rollout",
            "How many users a day came to each arm for the first time, and how many met their first failure, an error "
            "or a fall-back, there. Gates judge harm by users: one with a broken question fails again and again.",
            Unit.COUNT,
            (
                Query(f'sum by (arm) (increase(sluice_users_total{{{_OF}, per="rollout"}}[1d]))', "{{arm}}, new"),
                Query(f"sum by (arm) (increase(sluice_failing_users_total{{{_OF}}}[1d]))", "{{arm}}, failed"),
            ),
            decimals=0,
            no_value="Nobody is on the candidate",
        ),
        Shown(
            Panel.AGENT_WEIGHT,
            "Weight",
            "The percentage of users on the candidate: what git wants, what the override allows, and what is served.",
            Unit.PERCENT,
            (
                Query(_weight("served", "min"), "served"),
                Query(_weight("wanted", "max"), "wanted", Line.GOAL),
                Query(_weight("allowed", "min"), "allowed", Line.EXPECTED),
                Query(f"max(sluice_override_active{{{_OF}}})", "override", Line.CRITICAL, Unit.YES_OR_NO),
            ),
        ),
        Shown(
            Panel.REVIEW,
            "Review by people",
            "Outputs that wait for a person, and how many answers an hour were handed over to one because they were "
            "worth too little.",
            Unit.COUNT,
            (
                Query(f"max(sluice_review_pending{{{_OF}}})", "waiting"),
                Query(f"3600 * sum(rate(sluice_hand_over_total{{{_OF}}}[$__rate_interval]))", "handed over an hour"),
                Query(f"vector({REVIEW_BACKLOG})", "a backlog", Line.WARNING),
            ),
        ),
        Shown(
            Panel.REQUEST_COST,
            "What a request costs",
            "Dollars by arm, the mean of a day. What the baseline answered for the candidate is among the candidate's, "
            "at the price of the model that answered.",
            Unit.DOLLARS,
            (
                Query(f"sum by (arm) (sluice:request_cost_dollars:1d{{{_OF}}})", "{{arm}}"),
                _limit("request_cost_goal_dollars", "goal", Line.WARNING),
            ),
            decimals=5,
            no_value=_FEW_ANSWERS,
        ),
        Shown(
            Panel.SAVING,
            "What the candidate saves",
            "By how much a request to the candidate is cheaper than one to the baseline, both in the same day. "
            "Nothing is shown where either has too few answers, as at 100 %. Nothing is wanted where the baseline was "
            "fine-tuned itself.",
            Unit.PERCENT,
            (
                Query(f"100 * (1 - {_cost('candidate')} / {_cost('baseline')})", "cheaper by"),
                Query(
                    f'max(sluice_threshold{{{_OF}, name="request_cost_saving_percent"}}) '
                    f"and on () max(sluice_saving_asked{{{_OF}}}) == 1",
                    "wanted",
                    Line.WARNING,
                ),
            ),
            decimals=0,
            no_value=_FEW_ANSWERS,
        ),
    ),
    hours=24,
    chooses_agent=True,
)
