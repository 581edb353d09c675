"""`sluice up`: from nothing to answers, what `make up` runs."""

from __future__ import annotations

import json

import click

from sluice.cli import options
from sluice.cli.reply_table import reply_rows, reply_table
from sluice.deploy.launch import launch
from sluice.deploy.target import target
from sluice.progress import Progress


@click.command()
@click.argument("environment", metavar="[ENV]", default="dev")
@options.context
@click.option(
    "--images-to",
    "registry",
    metavar="REGISTRY",
    help="Push the images to this registry, for a cluster of your own that is neither kind nor k3d.",
)
@options.output_format
def up(environment: str, context: str | None, registry: str | None, output_format: str) -> None:
    """Start what is missing, run pulumi up, and ask every agent a question.

    ENV is the environment, dev by default. With KUBECONFIG or --context it goes into that cluster; with neither, a
    Kubernetes is started on this machine, which takes root. What is there already is used: a second run takes seconds.
    """
    launched = launch(environment, target(context), registry, Progress())
    if output_format == "json":
        changes = dict(launched.update.changes)
        objects = {operation: list(names) for operation, names in launched.update.objects.items()}
        document = {
            "url": launched.url,
            "changes": changes,
            "objects": objects,
            "replies": reply_rows(launched.replies),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    reply_table(launched.replies)
    where_to = f" --context {context}" if context else ""
    click.echo(f"\nThe gateway answers at {launched.url}")
    click.echo(f"Ask it: .venv/bin/sluice ask {environment} {launched.replies[0].agent} 'Hello' --user you{where_to}")
