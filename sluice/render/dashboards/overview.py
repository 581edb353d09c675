"""The overview: is every agent where git wants it, what do candidates do beside their baselines, and what do gates say.

Its `$agent` is any number of agents, all of them at first: alerts that are about one open it with that one.
"""

from __future__ import annotations

from typing import Final

from sluice.render.alerts.panels import OVERVIEW, Panel
from sluice.render.dashboards.shown import (
    MOST_LINES,
    Dashboard,
    Kind,
    Line,
    Query,
    Shown,
    Unit,
    highest,
    lowest,
    of_highest,
)

_CHOSEN: Final = 'agent=~"$agent"'
_AGENT: Final = ("agent", "Agent")


def _weight(kind: str, least: bool = False) -> str:
    return f'{"min" if least else "max"} by (agent) (sluice_rollout_weight{{{_CHOSEN}, kind="{kind}"}})'


def _quality(arm: str) -> str:
    return f'sum by (agent) (sluice:quality_mean{{{_CHOSEN}, arm="{arm}", dimension="overall"}})'


def _of_arm(recorded: str, arm: str) -> str:
    return f'sum by (agent) ({recorded}{{{_CHOSEN}, arm="{arm}"}})'


_SERVED: Final = _weight("served", least=True)

OVERVIEW_DASHBOARD: Final = Dashboard(
    OVERVIEW,
    "Sluice: overview",
    "All agents of an environment: weights, candidates beside their baselines, gates, overrides, and what fires.",
    (
        Shown(
            Panel.FIRING,
            "What fires",
            "Alerts of this environment that fire now. A name opens what to do about it.",
            Unit.COUNT,
            (
                Query(
                    'max by (severity, alertname, agent) (ALERTS{namespace="$namespace", alertname=~"Sluice.+", '
                    'alertname!="SluicePlannedStep", alertstate="firing"})',
                    "",
                ),
            ),
            kind=Kind.TABLE,
            columns=(("severity", "Severity"), ("alertname", "Alert"), _AGENT),
            leads_to_agent=True,
            height=6,
            no_value="Nothing fires",
        ),
        Shown(
            Panel.VERDICTS,
            "What the gates say",
            "The guard's last judgement of each agent that has users on its candidate: advance, hold or roll back. "
            "Empty where the environment has no guard, or no agent has a candidate in use.",
            Unit.COUNT,
            (
                # A guard that no longer acts shows on what it said last.
                Query(
                    f"max by (agent, action) (sluice_guard_verdict{{{_CHOSEN}}} "
                    "and on (pod, instance) (sluice_guard_leader == 1)) == 1",
                    "",
                ),
            ),
            kind=Kind.TABLE,
            columns=(_AGENT, ("action", "Verdict")),
            leads_to_agent=True,
            height=6,
            no_value="The guard judges nobody",
        ),
        Shown(
            Panel.COMPARISON,
            "Candidates beside their baselines",
            "Each agent now: the weight that git wants, that the override allows and that is served, then both arms by "
            "quality, the 95th percentile of latency, and what a request costs. A mean or a quantile of too few "
            "answers is not shown.",
            Unit.COUNT,
            (
                Query(_weight("wanted"), "Wanted", unit=Unit.PERCENT),
                Query(_weight("allowed", least=True), "Allowed", unit=Unit.PERCENT),
                Query(_weight("served"), "Served", unit=Unit.PERCENT),
                Query(f"max by (agent) (sluice_override_active{{{_CHOSEN}}})", "Override", unit=Unit.YES_OR_NO),
                Query(_quality("candidate"), "Quality", unit=Unit.POINTS),
                Query(_quality("baseline"), "Quality, baseline", unit=Unit.POINTS),
                Query(f"sluice:quality_drop_percent{{{_CHOSEN}}}", "Worse by", unit=Unit.PERCENT),
                Query(f"sluice:error_percent:1h{{{_CHOSEN}}}", "Errors, 1 h", unit=Unit.PERCENT),
                Query(_of_arm("sluice:duration_seconds:p95", "candidate"), "P95", unit=Unit.SECONDS),
                Query(_of_arm("sluice:duration_seconds:p95", "baseline"), "P95, baseline", unit=Unit.SECONDS),
                Query(_of_arm("sluice:request_cost_dollars:1d", "candidate"), "Request", unit=Unit.DOLLARS),
                Query(_of_arm("sluice:request_cost_dollars:1d", "baseline"), "Request, baseline", unit=Unit.DOLLARS),
            ),
            kind=Kind.TABLE,
            columns=(_AGENT,),
            leads_to_agent=True,
            width=24,
            height=9,
        ),
        Shown(
            Panel.WEIGHT,
            "Weight: wanted, allowed, served",
            "The percentage of an agent's users on its candidate. Wanted is git's; allowed is what the override leaves "
            "of it; served is the least that any pod serves. They differ for seconds after a commit, and then no more. "
            f"Of more than {MOST_LINES} agents, those with the highest weights: choose others above.",
            Unit.PERCENT,
            (
                Query(highest(_SERVED), "{{agent}} served"),
                Query(of_highest(_weight("wanted"), _SERVED), "{{agent}} wanted", Line.GOAL),
                Query(of_highest(_weight("allowed", least=True), _SERVED), "{{agent}} allowed", Line.EXPECTED),
            ),
        ),
        Shown(
            Panel.OVERRIDE,
            "Overrides",
            "Which agents are held back, and, on the right, by how much a pod serves more than is allowed: never "
            "for longer than seconds.",
            Unit.YES_OR_NO,
            (
                Query(highest(f"max by (agent) (sluice_override_active{{{_CHOSEN}}})"), "{{agent}} held back"),
                Query(
                    highest(f"clamp_min({_weight('served')} - {_weight('allowed', least=True)}, 0)"),
                    "{{agent}} above what is allowed",
                    Line.CRITICAL,
                    Unit.PERCENT,
                ),
            ),
        ),
        Shown(
            Panel.CANDIDATES,
            "Quality of the candidates",
            "Points of 10 that each candidate's answers have, the worst first, their mean over all agents of the "
            "environment, and the least that this mean must have.",
            Unit.POINTS,
            (
                Query(lowest(_quality("candidate")), "{{agent}}"),
                Query(
                    'avg(sum by (agent) (sluice:quality_mean{arm="candidate", dimension="overall"}))',
                    "mean of all",
                    Line.EXPECTED,
                ),
                Query('max(sluice_threshold{agent="all", name="quality_mean_least"})', "least mean", Line.WARNING),
            ),
            decimals=2,
            no_value="Too few scored answers",
        ),
        Shown(
            Panel.TRAFFIC,
            "Answers a minute",
            "What each agent answered, and on the right the share of errors in it, over five minutes.",
            Unit.COUNT,
            (
                Query(highest(f"sum by (agent) (sluice:answers:increase5m{{{_CHOSEN}}}) / 5"), "{{agent}}"),
                Query(
                    highest(f"sluice:error_percent:5m{{{_CHOSEN}}}"),
                    "{{agent}} errors",
                    Line.CRITICAL,
                    Unit.PERCENT,
                ),
            ),
        ),
    ),
    chooses_agents=True,
)
