"""`sluice callers`: keys for the teams that call the gateway."""

from __future__ import annotations

import json

import click

from sluice.cli import options
from sluice.deploy import callers as keys
from sluice.progress import Progress

_environment = click.option("--env", "environment", required=True, metavar="ENV", help="The environment it is for.")


@click.group()
def callers() -> None:
    """Issue, list and revoke the keys of the teams that call the gateway.

    Pulumi.ENV.yaml keeps digests of them, encrypted: commit it. The next `sluice up ENV` brings them to the gateway,
    which reads them while it runs. Where the environment's secrets come from a store, `issue` says what to put there.
    """


@callers.command()
@click.argument("team", metavar="TEAM")
@_environment
def issue(team: str, environment: str) -> None:
    """Make a key for a team and print it, once.

    The team's newest key before stays good until the next one is issued, so that callers can change over.
    """
    issued = keys.issue(environment, team, Progress())
    click.echo(issued.key)
    if issued.to_be_put is None:
        click.echo(f"it cannot be shown again; it is good after the next update: sluice up {environment}", err=True)
    else:
        click.echo(
            "it cannot be shown again; it is good once this line is in the store, above the line of the key before "
            f"({issued.to_be_put}):\n{issued.line}",
            err=True,
        )


@callers.command(name="list")
@_environment
@options.output_format
def list_(environment: str, output_format: str) -> None:
    """Print the teams that have a key."""
    teams = keys.teams(environment)
    if output_format == "json":
        click.echo(json.dumps([{"team": team} for team in teams], indent=2))
    elif teams:
        click.echo("\n".join(teams))
    else:
        click.echo(f"no team has a key; make one: sluice callers issue TEAM --env {environment}", err=True)


@callers.command()
@click.argument("team", metavar="TEAM")
@_environment
def revoke(team: str, environment: str) -> None:
    """Take all keys of a team away."""
    keys.revoke(environment, team, Progress())
    click.echo(f"team {team} has no key from the next update on: sluice up {environment}", err=True)
