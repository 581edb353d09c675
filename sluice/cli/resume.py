"""`sluice resume`: the end of an override."""

from __future__ import annotations

import json

import click

from sluice.cli import options
from sluice.cli.rollback import said_by
from sluice.deploy.emergency import emergency, whoever_types
from sluice.deploy.target import target
from sluice.rollout.resume import Afterwards, Resumed
from sluice.rollout.resume import resume as lift


@click.command()
@click.argument("environment", metavar="ENV")
@click.argument("agent", metavar="[AGENT]", required=False)
@click.option("--reason", required=True, help="Why it may come back, for whoever looks next.")
@click.option("--by", metavar="NAME", help="Who; by default the name that git knows you by.")
@click.option("--force", is_flag=True, help="Lift it although a candidate comes back higher than at its first step.")
@options.context
@options.output_format
def resume(
    environment: str,
    agent: str | None,
    reason: str,
    by: str | None,
    force: bool,
    context: str | None,
    output_format: str,
) -> None:
    """Lift the override of an agent, or the one of all.

    Without AGENT the override of all is lifted, and those of single agents stay. Refuses, with exit code 1, where a
    candidate would come back at more than the first step of its ladder.
    """
    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    found = emergency(environment)
    done = lift(
        target(context).connect(),
        found.namespace,
        agent,
        found.declared,
        by=by or whoever_types(),
        reason=reason,
        force=force,
    )
    if output_format == "json":
        click.echo(json.dumps(_data(done), indent=2, ensure_ascii=False))
    else:
        click.echo(_text(done))


def _text(done: Resumed) -> str:
    if not done.change.made or done.change.before is None:
        return f"{done.change.key}: there is no override to lift"
    lines = [f"{done.change.key}: lifted; it was set {said_by(done.change.before)}"]
    lines += [f"  it {ended}" for ended in done.ended]
    return "\n".join([*lines, *(f"  {_after(agent)}" for agent in done.agents)])


def _after(agent: Afterwards) -> str:
    said = f"{agent.agent}: {agent.now_percent} % of its users are on the candidate from now on"
    if agent.held_by:
        return f"{said}, held by {agent.held_by}"
    if agent.declared_percent is not None and agent.declared_percent != agent.now_percent:
        return f"{said}; git's rollout file wants {agent.declared_percent} %, which the next update brings"
    return said


def _data(done: Resumed) -> dict[str, object]:
    before = done.change.before
    return {
        "key": done.change.key,
        "lifted": done.change.made,
        "was": None if before is None else json.loads(before.text),
        "ended_before": list(done.ended),
        "agents": [
            {
                "agent": agent.agent,
                "served_percent": agent.now_percent,
                "declared_percent": agent.declared_percent,
                "held_by": agent.held_by or None,
            }
            for agent in done.agents
        ],
    }
