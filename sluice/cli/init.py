"""`sluice init`: begins a project where there is none, for who has the command from a wheel and no checkout."""

from __future__ import annotations

from pathlib import Path

import click

from sluice.local.folders import PROJECT
from sluice.skeleton import begin_project, renew_schemas


@click.command()
@click.argument(
    "folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=None, required=False
)
@click.option(
    "--schemas", is_flag=True, help="Only write registry/schema anew, as this version has it: after an upgrade."
)
def init(folder: Path | None, schemas: bool) -> None:
    """Begin a project: a registry with one agent, and Pulumi's files of dev.

    DIR is made where it is missing; by default it is the folder you are in, with --schemas the project you are in.
    Nothing that is there is written over. What is written validates and renders as it is, and dev asks a stub provider:
    its keys and its passphrase are no secrets.
    """
    folder = folder or (PROJECT if schemas else Path())
    written = renew_schemas(folder) if schemas else begin_project(folder)
    for name in written:
        click.echo(f"wrote {folder / name}")
    if schemas:
        click.echo("the schemas are those of this version")
        return
    click.echo(
        "\nnext: git init, and commit; then\n"
        "  sluice validate        what is wrong in registry/, with file, line and column\n"
        "  sluice render dev      what should exist, into manifests/dev, for reviewers\n"
        "  sluice plan dev        what a change means, beside the last commit\n"
        "  sluice up dev          in the local cluster, or --context NAME for yours; Pulumi expects sluice in .venv"
    )
