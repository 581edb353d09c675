"""`sluice ask`: a real request through the gateway."""

from __future__ import annotations

import json
import os
from typing import IO

import click

from sluice.cli import options
from sluice.cli.reply_table import printable, reply_rows
from sluice.deploy.ask import ask as ask_agent
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import target


@click.command()
@click.argument("environment", metavar="ENV")
@click.argument("agent", metavar="AGENT")
@click.argument("text", metavar="TEXT")
@click.option("--user", required=True, help="Who asks: the same user always gets the same arm.")
@click.option(
    "--key-file",
    type=click.File(),
    help="A file with your team's key, where the environment asks for one; else SLUICE_API_KEY holds it.",
)
@options.context
@options.output_format
def ask(
    environment: str,
    agent: str,
    text: str,
    user: str,
    key_file: IO[str] | None,
    context: str | None,
    output_format: str,
) -> None:
    """Ask an agent of an environment, and show who answered.

    The question goes through the environment's gateway, by the API server and with the rights of your kubeconfig.
    """
    declared = declared_environment(environment)
    key = key_file.read().strip() if key_file else os.environ.get("SLUICE_API_KEY")
    reply = ask_agent(target(context).connect(), declared, agent, text, user, key)
    if output_format == "json":
        click.echo(json.dumps(reply_rows([reply])[0], indent=2, ensure_ascii=False))
        return
    cost = "cost unknown" if reply.cost_dollars is None else f"${reply.cost_dollars:.6f}"
    click.echo(printable(reply.answer))
    click.echo(f"-- {reply.agent}, {reply.arm} arm, {reply.model}, {reply.latency_ms:.0f} ms, {cost}", err=True)
