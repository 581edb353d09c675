"""Alerts on answers that failed: what callers saw, and what the baseline made good behind their backs.

Burn rates are those of Google's SRE workbook, "Alerting on SLOs": how many times faster than the goal allows errors
come, over a long window that makes it matter and a short one that says it still goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sluice.render.alerts.commands import ASK, FAILED, LOG, go_back
from sluice.render.alerts.expressions import LEAST_BAD, limit, percent_of, shown_limit
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.quality import CANARY
from sluice.render.alerts.rule import Alert, Severity

FAST_BURNS: Final = ((14.4, "1h", "5m"), (6, "6h", "30m"))
SLOW_BURNS: Final = ((3, "1d", "2h"), (1, "3d", "6h"))


def burning(share: str, bad: str, burns: tuple[tuple[float, str, str], ...], above: Callable[[float], str]) -> str:
    """Return the condition that a share, by agent and in percent, is so many times above what is allowed.

    `above` writes the comparison with that many times the limit; `bad` is the count behind the share, without window.
    """
    return " or ".join(
        f"(sluice:{share}:{long} {above(factor)} and on (agent) sluice:{share}:{short} {above(factor)} and on (agent) "
        f"sum by (agent) ({bad % long}) >= {LEAST_BAD})"
        for factor, long, short in burns
    )


def _above_goal(factor: float) -> str:
    return f"> on (agent) {factor:g} * {limit('error_rate_goal_percent')}"


def _candidates(outcome: str, window: str) -> str:
    """Return the share of an outcome in the candidate's answers, where there were enough of them."""
    part = f'sluice:answers:increase{window}{{arm="candidate", outcome="{outcome}"}}'
    enough = f"sum by (agent) ({part}) >= {LEAST_BAD}"
    whole = f'sluice:answers:increase{window}{{arm="candidate"}}'
    return f"(({percent_of(part, whole)}) and on (agent) {enough})"


_ERRORS = 'sluice:answers:increase%s{outcome="error"}'

ERRORS: Final = (
    Alert(
        "SluiceErrorRateHigh",
        Severity.CRITICAL,
        f"sluice:error_percent:1h > on (agent) {limit('error_rate_critical_percent')} and on (agent) "
        f"sum by (agent) ({_ERRORS % '1h'}) >= {LEAST_BAD}",
        "2m",
        "{{ $labels.agent }}: callers see errors",
        '{{ $value | printf "%.1f" }} % of the answers of {{ $labels.agent }} in the last hour were errors; '
        "the limit is "
        f"{shown_limit('error_rate_critical_percent')} %. See of what kind: {LOG}",
        Panel.ERRORS,
    ),
    Alert(
        "SluiceErrorRateCanary",
        Severity.CRITICAL,
        f"{_candidates('error', '30m')} > on (agent) {limit('error_rate_canary_percent')} and on (agent) "
        f"({CANARY} > 0) < 100",
        "2m",
        "{{ $labels.agent }}: the candidate's errors end the canary",
        '{{ $value | printf "%.1f" }} % of what users on the candidate of {{ $labels.agent }} got in the '
        "last half hour "
        f"were errors; the limit is {shown_limit('error_rate_canary_percent')} %. "
        f"Go back: {go_back('SluiceErrorRateCanary')}",
        Panel.ERRORS,
    ),
    Alert(
        "SluiceErrorBudgetFastBurn",
        Severity.CRITICAL,
        burning("error_percent", _ERRORS, FAST_BURNS, _above_goal),
        "2m",
        "{{ $labels.agent }}: errors come many times faster than the goal allows",
        '{{ $value | printf "%.1f" }} % of the answers of {{ $labels.agent }} are errors, and the goal of '
        f"{shown_limit('error_rate_goal_percent')} % in 30 days is gone within days. See of what kind: {LOG}",
        Panel.ERRORS,
    ),
    Alert(
        "SluiceErrorBudgetSlowBurn",
        Severity.WARNING,
        burning("error_percent", _ERRORS, SLOW_BURNS, _above_goal),
        "15m",
        "{{ $labels.agent }}: more errors than the goal allows",
        '{{ $value | printf "%.1f" }} % of the answers of {{ $labels.agent }} are errors, for hours now; the goal is '
        f"{shown_limit('error_rate_goal_percent')} %. See of what kind: {LOG}",
        Panel.ERRORS,
    ),
    Alert(
        "SluiceFallbackShareHigh",
        Severity.WARNING,
        f"{_candidates('fallback', '30m')} > on (agent) {limit('error_rate_critical_percent')}",
        "10m",
        "{{ $labels.agent }}: the baseline answers for a failing candidate",
        'The baseline had to answer {{ $value | printf "%.1f" }} % of the candidate\'s requests for '
        "{{ $labels.agent }} in "
        f"the last half hour; the limit is {shown_limit('error_rate_critical_percent')} %. See why it fails: "
        f"{FAILED}",
        Panel.FALLBACKS,
    ),
    Alert(
        "SluiceBreakerOpen",
        Severity.WARNING,
        "max by (agent) (max_over_time(sluice_breaker_open[2m])) == 1",
        "5m",
        "{{ $labels.agent }}: the model that should answer is left alone",
        "The first model of {{ $labels.agent }} has failed so often in a row that it has been left alone for "
        "more than 5 "
        f"minutes, and the next one answers. Ask it yourself: {ASK}",
        Panel.FALLBACKS,
    ),
)
