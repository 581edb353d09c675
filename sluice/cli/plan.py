"""`sluice plan`: what a change to the registry means for an environment, in the user's words."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from sluice.cli import options
from sluice.local.folders import PROJECT
from sluice.registry.plan import Plan, plan_of
from sluice.registry.plan_text import plan_text


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
    folder = folder or PROJECT / "registry"
    if not folder.is_dir():
        problem = f"{folder} is not there; name the folder that holds models.yaml, or change into your project"
        raise click.BadParameter(problem, param_hint="--registry")
    found = plan_of(folder, environment, against, day)
    click.echo(json.dumps(_data(found), indent=2, ensure_ascii=False) if output_format == "json" else plan_text(found))
    return 0 if found.is_allowed else 1


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
