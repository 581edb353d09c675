"""`sluice promote`: a model that one environment tried, into another, as a request."""

from __future__ import annotations

import click

from sluice.cli import options, requesting
from sluice.deploy.judging import overrides_of
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import target
from sluice.gitops.drafting import Drafting
from sluice.gitops.proposing import Draft
from sluice.gitops.stepping import Entering
from sluice.local.folders import PROJECT
from sluice.rollout.set_clock import now_in


@click.command()
@click.argument("agents", metavar="AGENT...", nargs=-1, required=True)
@click.option("--from", "source", metavar="ENV", required=True, help="Where the model was tried.")
@click.option("--to", "environment", metavar="ENV", required=True, help="Where it goes, at the first step.")
@requesting.options
@options.context
@options.output_format
def promote(
    agents: tuple[str, ...],
    source: str,
    environment: str,
    context: str | None,
    output_format: str,
    **chosen: object,
) -> int:
    """Bring the model that an agent has in one environment into another, as a request that people merge.

    It becomes the candidate there, at the first step of the ladder. Evidence and sign-offs are asked as the registry's
    rules have them, of what everybody has in git. Exit code 1 says that something is missing, and names it.
    """
    if source == environment:
        raise click.UsageError(
            f"--from and --to are both {environment}; for the next step: sluice advance {environment}"
        )
    asked = requesting.asked(environment, **chosen)
    declared = declared_environment(environment)
    now = now_in(environment)
    overrides = overrides_of(target(context), declared.settings, lambda said: click.echo(said, err=True))

    def draft(group: tuple[str, ...]) -> Draft:
        entering = Entering(environment, source, group, overrides, now, asked.force)
        return Drafting(PROJECT, environment, entering, now.date(), asked.force)

    outcomes = asked.requesting.each(asked.groups(tuple(dict.fromkeys(agents))), draft)
    return requesting.show(outcomes, output_format, with_text=True)
