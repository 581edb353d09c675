"""`sluice down`: what `make down` runs."""

from __future__ import annotations

import click

from sluice.cli import options
from sluice.deploy.launch import require_environment, tear_down
from sluice.deploy.target import stop_local_cluster, target
from sluice.progress import Progress


@click.command()
@click.argument("environment", metavar="[ENV]", default="dev")
@options.context
@click.option(
    "--purge", is_flag=True, help="Of the local cluster, remove its data too: the next up starts from nothing."
)
@click.option("--yes", is_flag=True, help="Do not ask before an environment of a cluster of your own is destroyed.")
def down(environment: str, context: str | None, purge: bool, yes: bool) -> None:
    """Stop the local cluster; in a cluster of your own, run pulumi destroy.

    Without KUBECONFIG and --context the local cluster stops and leaves no process, mount, bridge, iptables rule or
    container behind; its data stays, and the next up finds it. ENV, dev by default, is what is destroyed in a cluster
    of your own; any other environment only after you have said yes.
    """
    require_environment(environment)
    progress = Progress()
    where = target(context)
    if where.is_local:
        stop_local_cluster(progress, purge=purge)
        return
    if environment != "dev" and not yes:
        where_it_is = f"context {context}" if context else "the cluster of KUBECONFIG"
        click.confirm(f"Destroy {environment} in {where_it_is}, with all of its pods?", abort=True, err=True)
    progress.say(f"  {tear_down(environment, where, progress)}")
