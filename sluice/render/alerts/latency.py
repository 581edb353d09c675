"""Alerts on how long answers take, by arm: a slow candidate must not hide behind nine times as many fast answers."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.commands import ASK, go_back
from sluice.render.alerts.errors import FAST_BURNS, SLOW_BURNS, burning
from sluice.render.alerts.expressions import limit, shown_limit
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.rule import Alert, Severity

SLOW_PERCENT_ALLOWED: Final = 5
"""The goal is one of the 95th percentile: 5 of 100 answers may be later."""


def _above_goal(factor: float) -> str:
    return f"> {factor * SLOW_PERCENT_ALLOWED:g}"


def _quantile(name: str, severity: Severity, quantile: str, limit_name: str, summary: str, what_next: str) -> Alert:
    return Alert(
        name,
        severity,
        f"sluice:duration_seconds:p{quantile} > on (agent) group_left () {limit(limit_name)}",
        "5m",
        summary,
        f"{quantile} of 100 answers of the {{{{ $labels.arm }}}} of {{{{ $labels.agent }}}} take up to "
        f'{{{{ $value | printf "%.1f" }}}} s; the limit is {shown_limit(limit_name)} s. {what_next}',
        Panel.LATENCY,
    )


LATENCY: Final = (
    _quantile(
        "SluiceLatencyHigh",
        Severity.WARNING,
        "95",
        "p95_warning_seconds",
        "{{ $labels.agent }}: answers are slow",
        f"Time one yourself: {ASK}",
    ),
    _quantile(
        "SluiceLatencyCritical",
        Severity.CRITICAL,
        "95",
        "p95_rollback_seconds",
        "{{ $labels.agent }}: answers are so slow that the rollout ends",
        f"Where it is the candidate, go back: {go_back('SluiceLatencyCritical')}",
    ),
    _quantile(
        "SluiceLatencyTail",
        Severity.WARNING,
        "99",
        "p99_goal_seconds",
        "{{ $labels.agent }}: the slowest answers are too slow",
        f"Time one yourself: {ASK}",
    ),
    Alert(
        "SluiceLatencyBudgetFastBurn",
        Severity.CRITICAL,
        burning("slow_percent", "sluice:slow_answers:increase%s", FAST_BURNS, _above_goal),
        "2m",
        "{{ $labels.agent }}: most answers are later than the goal",
        '{{ $value | printf "%.0f" }} % of the answers of {{ $labels.agent }} took longer than '
        f"{shown_limit('p95_goal_seconds')} s; {SLOW_PERCENT_ALLOWED} % may. Time one yourself: {ASK}",
        Panel.LATE,
    ),
    Alert(
        "SluiceLatencyBudgetSlowBurn",
        Severity.WARNING,
        burning("slow_percent", "sluice:slow_answers:increase%s", SLOW_BURNS, _above_goal),
        "15m",
        "{{ $labels.agent }}: more answers are late than the goal allows",
        '{{ $value | printf "%.0f" }} % of the answers of {{ $labels.agent }} took longer than '
        f"{shown_limit('p95_goal_seconds')} s, for hours now; {SLOW_PERCENT_ALLOWED} % may. Time one yourself: {ASK}",
        Panel.LATE,
    ),
)
