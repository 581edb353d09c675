"""`sluice failures`: the queries of an agent that are worth looking at."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from sluice.cli import options
from sluice.cli.reply_table import printable
from sluice.deploy.ask import UnknownAgent
from sluice.deploy.in_gateway import kept
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import target


@click.command()
@click.argument("environment", metavar="ENV")
@click.argument("agent", metavar="AGENT")
@click.option("--worst", is_flag=True, help="Those that were answered worst, instead of those that failed.")
@click.option("--days", type=click.IntRange(1, 30), default=1, show_default=True, help="With --worst: of so many days.")
@options.context
@options.output_format
def failures(environment: str, agent: str, worst: bool, days: int, context: str | None, output_format: str) -> None:
    """Print the queries of an agent that failed last, or were answered worst.

    They are kept for 30 days, through a rollback too, without addresses and numbers of persons. Your kubeconfig needs
    pods/exec in the environment's namespace.
    """
    declared = declared_environment(environment)
    if agent not in declared.registry.agents:
        raise UnknownAgent(agent, declared.registry)
    arguments = ["failures", agent, *(["--worst", "--days", str(days)] if worst else [])]
    queries = kept(target(context).connect(), declared.settings.namespace, arguments)
    if output_format == "json":
        click.echo(json.dumps(queries, indent=2, ensure_ascii=False))
        return
    if not queries:
        click.echo("nothing is kept", err=True)
    for query in queries:
        when = datetime.fromtimestamp(query["at_seconds"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        why = query["why"] if query["score"] is None else f"score {query['score']:.1f}"
        click.echo(f"{when}  {query['arm']}, {query['model'] or 'no model'}  {query['outcome']}: {printable(why)}")
        click.echo(f"    asked: {printable(' '.join(query['question'].split()))[:200]}")
        if query["answer"]:
            click.echo(f"    answered: {printable(' '.join(query['answer'].split()))[:200]}")
