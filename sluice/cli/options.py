"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import click

output_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)

context = click.option(
    "--context",
    metavar="NAME",
    help="A context of your kubeconfig: use that cluster. Without it and without KUBECONFIG, the local one is used.",
)
