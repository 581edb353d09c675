"""`sluice local`: the cluster of this machine alone."""

from __future__ import annotations

import dataclasses
import json

import click
from rich.console import Console
from rich.table import Table

from sluice.cli import options
from sluice.deploy.target import start_local_cluster, stop_local_cluster
from sluice.local import cluster
from sluice.local.folders import state_folder
from sluice.progress import Progress, elapsed


@click.group()
def local() -> None:
    """Start, stop and look at the local cluster."""


@local.command()
def up() -> None:
    """Start what of the local cluster does not run, building its programs first where they are missing."""
    result = start_local_cluster(Progress())
    running = len(result.started) + len(result.found_running) + len(result.restarted)
    click.echo(f"{running} components run, {len(result.found_running)} of them from before")
    click.echo(f"export KUBECONFIG={cluster.kubeconfig(state_folder())}")


@local.command()
@click.option("--purge", is_flag=True, help="Remove the cluster's data too: the next up starts from nothing.")
def down(purge: bool) -> None:
    """Stop the local cluster and leave no process, mount, bridge, iptables rule or container behind."""
    stop_local_cluster(Progress(), purge=purge)


@local.command()
@options.output_format
def status(output_format: str) -> int:
    """Show what each component does; exit 1 when the cluster is not up."""
    found = cluster.status(state_folder())
    if output_format == "json":
        click.echo(json.dumps({"up": found.is_up, **dataclasses.asdict(found)}, indent=2))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("component", "is", "pid"):
            table.add_column(column)
        table.add_column("since", justify="right")
        table.add_column("MiB", justify="right")
        for part in found.components:
            since = elapsed(part.uptime_seconds) if part.uptime_seconds is not None else ""
            memory = f"{part.resident_mib:.0f}" if part.resident_mib is not None else ""
            table.add_row(part.name, part.condition, str(part.pid or ""), since, memory)
        Console(highlight=False).print(table)
        node = {True: "ready", False: "not ready", None: "unknown"}[found.node_is_ready]
        click.echo(f'\nnode: {node}; state: {state_folder()}; to use it: eval "$(sluice env)"')
    return 0 if found.is_up else 1


@local.command()
@click.argument("components", metavar="[COMPONENT]...", nargs=-1)
@click.option("--lines", type=click.IntRange(min=1), default=100, show_default=True, help="How many of the last lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on.")
def logs(components: tuple[str, ...], lines: int, follow: bool) -> None:
    """Show the last lines of the components' logs; of all of them where none is named."""
    for line in cluster.read_logs(state_folder(), components, lines=lines, follow=follow):
        click.echo(line)
