"""`sluice guard`: one look by the guard's own eyes, from outside of the cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import click

from sluice.cli import options
from sluice.deploy.guard import look_once
from sluice.deploy.target import target


@click.command()
@click.argument("environment", metavar="ENV")
@options.prometheus
@options.context
@options.output_format
def guard(environment: str, prometheus: str | None, context: str | None, output_format: str) -> int:
    """Look once, as the guard in the cluster does, say what it makes of each agent, and change nothing.

    Exit code 1 says that one of them is to be rolled back, 3 that something could not be asked.
    """

    def say(text: str, about: Mapping[str, str]) -> None:
        click.echo(f"{text}: {', '.join(f'{name} {value}' for name, value in about.items())}", err=True)

    looked = look_once(target(context).connect(), environment, prometheus, say=say)
    if output_format == "json":
        click.echo(json.dumps([asdict(one) for one in looked.agents], indent=2, ensure_ascii=False))
    else:
        for one in looked.agents:
            click.echo(f"{one.agent}: {one.action}: {one.reason}")
        if not looked.agents and looked.is_complete:
            click.echo("no agent has users on a candidate")
    if not looked.is_complete:
        return 3
    return 1 if any(one.action == "rollback" for one in looked.agents) else 0
