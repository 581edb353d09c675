"""Alerts on what answers are worth: the candidate beside the baseline, beside its benchmark, and by itself."""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.commands import FLAGS, WORST, go_back
from sluice.render.alerts.expressions import limit, shown_limit
from sluice.render.alerts.panels import Panel
from sluice.render.alerts.rule import Alert, Severity

CANARY: Final = 'max by (agent) (sluice_rollout_weight{kind="served"})'
_ON_A_STEP = f"({CANARY} > 0) < 100"
_DROP = "sluice:quality_drop_percent"
_OVERALL = 'sum by (agent) (sluice:quality_mean{arm="candidate", dimension="overall"})'
_WORST = f"Look at its worst answers: {WORST}"
_BACK = "If people suffer, go back: "


def _drop(name: str, severity: Severity, limit_name: str, summary: str, what_next: str, only: str = "") -> Alert:
    return Alert(
        name,
        severity,
        f"{_DROP} > on (agent) {limit(limit_name)}{only}",
        "10m",
        summary,
        'The candidate of {{ $labels.agent }} answers {{ $value | printf "%.1f" }} % worse than its baseline in the '
        f"same time; the limit is {shown_limit(limit_name)} %. {what_next}",
        Panel.DROP,
    )


QUALITY: Final = (
    _drop(
        "SluiceQualityDrop",
        Severity.WARNING,
        "quality_drop_warning_percent",
        "{{ $labels.agent }}: the candidate is worse than the baseline",
        _WORST,
    ),
    _drop(
        "SluiceQualityDropCritical",
        Severity.CRITICAL,
        "quality_drop_critical_percent",
        "{{ $labels.agent }}: the candidate is far worse than the baseline",
        _BACK + go_back("SluiceQualityDropCritical"),
    ),
    _drop(
        "SluiceQualityDropCanary",
        Severity.CRITICAL,
        "quality_drop_canary_percent",
        "{{ $labels.agent }}: the candidate's quality ends the canary",
        _BACK + go_back("SluiceQualityDropCanary"),
        only=f" and on (agent) {_ON_A_STEP}",
    ),
    Alert(
        "SluiceQualityBelowBenchmark",
        Severity.WARNING,
        f"100 * (1 - {_OVERALL} / on (agent) max by (agent) (sluice_benchmark_score)) > on (agent) "
        f"{limit('quality_drop_warning_percent')}",
        "30m",
        "{{ $labels.agent }}: the candidate is worse than its benchmark said",
        'The candidate of {{ $labels.agent }} answers {{ $value | printf "%.1f" }} % worse than in its benchmark; the '
        f"limit is {shown_limit('quality_drop_warning_percent')} %. {_WORST}",
        Panel.QUALITY,
    ),
    Alert(
        "SluiceQualityLow",
        Severity.WARNING,
        f"{_OVERALL} < on (agent) {limit('quality_least')}",
        "30m",
        "{{ $labels.agent }}: the candidate's answers are worth too little",
        'The candidate\'s answers for {{ $labels.agent }} are worth {{ $value | printf "%.2f" }} of 10 '
        "points; the least is "
        f"{shown_limit('quality_least')}. {_WORST}",
        Panel.QUALITY,
    ),
    Alert(
        "SluiceQualityMeanLow",
        Severity.WARNING,
        f'avg({_OVERALL}) < on () max(sluice_threshold{{name="quality_mean_least"}})',
        "1h",
        "The candidates' answers together are worth too little",
        'Over all agents, the candidates\' answers are worth {{ $value | printf "%.2f" }} of 10 points on average; the '
        "least is "
        + shown_limit("quality_mean_least").replace("$labels.agent", '"all"')
        + f". See which candidates there are: {FLAGS}",
        Panel.CANDIDATES,
        agent="all",
    ),
    Alert(
        "SluiceSpecificityLow",
        Severity.WARNING,
        'sum by (agent) (sluice:quality_mean{arm="candidate", dimension="specificity"}) < on () group_left () '
        'max(sluice_threshold{name="specificity_wanted"})',
        "6h",
        "{{ $labels.agent }}: the candidate's answers are not specific enough",
        'The candidate\'s answers for {{ $labels.agent }} have {{ $value | printf "%.2f" }} of 10 points for being '
        "specific; wanted are " + shown_limit("specificity_wanted").replace("$labels.agent", '"all"') + f". {_WORST}",
        Panel.SPECIFICITY,
    ),
)
