"""`sluice env`: what to export to run kubectl and pulumi by hand."""

from __future__ import annotations

import os
import shlex

import click

from sluice.cli import options
from sluice.deploy.launch import engine_by_hand
from sluice.deploy.target import target
from sluice.local.folders import cache_folder
from sluice.local.toolchain import ensure_kubernetes
from sluice.progress import Progress


@click.command()
@click.argument("environment", metavar="[ENV]", default="dev")
@options.context
def variables(environment: str, context: str | None) -> None:
    """Print what to export to run kubectl and pulumi by hand.

    Use it as: eval "$(sluice env)". A passphrase of your own is not printed: it is in your environment already.
    """
    progress = Progress()
    where = target(context)
    engine = engine_by_hand(environment, where, progress)
    chosen = engine.environment_variables()
    if where.is_local:
        chosen["PATH"] = f"{ensure_kubernetes(cache_folder(), progress).kube}{os.pathsep}{chosen['PATH']}"
    for name, value in chosen.items():
        if os.environ.get(name) != value:
            click.echo(f"export {name}={shlex.quote(value)}")
