"""`sluice plan`: what a change to the registry means for an environment, in the user's words."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from sluice.cli import options
from sluice.local.folders import PROJECT
from sluice.registry.findings import printed
from sluice.registry.plan import Plan, plan_of


@click.command()
@click.argument("environment", metavar="ENV")
@click.option("--against", metavar="REF", default="HEAD", show_default=True, help="The commit to compare with.")
@click.option("--registry", "folder", type=click.Path(path_type=Path), help="The folder; by default the project's.")
@click.option(
    "--today",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day that retirements and sign-offs are held against; by default this one.",
)
@options.output_format
def plan(environment: str, against: str, folder: Path | None, today: date | None, output_format: str) -> int:
    """Say what a change to the registry means, agent by agent, and what forbids it.

    ENV is an environment with a file in rollouts/. The registry as it is here is compared with a commit; exit code 1
    says that a rule forbids the change, or what is there already.
    """
    day = date.fromisoformat(f"{today:%Y-%m-%d}") if today else date.today()
    found = plan_of(folder or PROJECT / "registry", environment, against, day)
    click.echo(json.dumps(_data(found), indent=2, ensure_ascii=False) if output_format == "json" else _text(found))
    return 0 if found.is_allowed else 1


def _text(found: Plan) -> str:
    lines = [f"{found.environment}, against {found.against}:"]
    changed = [agent for agent in found.agents if agent.changes]
    width = max((len(agent.agent) for agent in found.agents), default=0)
    lines += [f"  {change}" for change in found.changes]
    for agent in changed:
        for number, change in enumerate(agent.changes):
            lines.append(f"  {agent.agent if number == 0 else '':{width}}  {change}")
    if not changed and not found.changes:
        lines.append("  nothing changes")
    elif len(changed) < len(found.agents):
        lines.append(f"  {_the_others(len(changed), len(found.agents) - len(changed))}: no change")
    for title, findings in (("forbidden by:", found.forbidding), ("beside that:", found.warnings)):
        if findings:
            lines += ["", title, *(f"  {line}" for line in printed(findings).splitlines())]
    return "\n".join(lines)


def _the_others(changed: int, same: int) -> str:
    agents = "agent" if same == 1 else f"{same} agents"
    return f"the other {agents}" if changed else f"{'the one ' if same == 1 else ''}{agents}"


def _data(found: Plan) -> dict[str, object]:
    return {
        "environment": found.environment,
        "against": found.against,
        "allowed": found.is_allowed,
        "changes": list(found.changes),
        "agents": [
            {
                "agent": agent.agent,
                "candidate": {"before": agent.candidate_before, "after": agent.candidate_after},
                "weight": {"before": agent.weight_before_percent, "after": agent.weight_after_percent},
                "changes": list(agent.changes),
            }
            for agent in found.agents
        ],
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "file": finding.file,
                "line": finding.line,
                "column": finding.column,
                "path": finding.path,
                "problem": finding.problem,
                "remedy": finding.remedy,
            }
            for finding in (*found.forbidding, *found.warnings)
        ],
    }
