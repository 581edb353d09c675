"""`sluice advance`: the next step of the ladder, as a request."""

from __future__ import annotations

import click

from sluice.cli import options, requesting
from sluice.deploy.judging import judging
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import target
from sluice.gitops.drafting import Drafting
from sluice.gitops.proposing import Draft
from sluice.gitops.stepping import Stepping, with_candidates
from sluice.local.folders import PROJECT
from sluice.rollout.set_clock import now_in


@click.command()
@click.argument("environment", metavar="ENV")
@click.argument("agents", metavar="[AGENT]...", nargs=-1)
@requesting.options
@options.context
@options.output_format
def advance(
    environment: str, agents: tuple[str, ...], context: str | None, output_format: str, **chosen: object
) -> int:
    """Raise an agent's weight by one step where its gates let it, as a request that people merge.

    After the last step the candidate graduates: it becomes the first baseline. Without AGENT every agent with a
    candidate is asked, each for itself. What was measured up to now is judged, on what everybody has in git; a request
    that is open is brought up to it, or withdrawn where the gates no longer let it pass. Run it as often as you like.
    Exit code 1 says that nothing may advance; what is missing is named.
    """
    asked = requesting.asked(environment, **chosen)
    declared = declared_environment(environment)
    now = now_in(environment)
    judge = judging(target(context).connect(), declared.settings, now, asked.prometheus)
    named = tuple(dict.fromkeys(agents)) or with_candidates(PROJECT, asked.requesting.others, environment)

    def draft(group: tuple[str, ...]) -> Draft:
        return Drafting(PROJECT, environment, Stepping(environment, group, judge, asked.force), now.date(), asked.force)

    groups = asked.groups(named)
    if not groups:
        click.echo(f"{environment}: no agent has a candidate", err=True)
    return requesting.show(asked.requesting.each(groups, draft), output_format, with_text=True)
