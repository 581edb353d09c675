"""`sluice render`: writes the content of manifests/ENVIRONMENT/, which is what people review and what is applied."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sluice.deploy.errors import UnknownEnvironment
from sluice.local.folders import PROJECT
from sluice.registry import environments, load_environment
from sluice.registry.document import shown_file
from sluice.render import render as render_environment
from sluice.render import write_manifests
from sluice.render.alerts import alertmanager_text, rules_text
from sluice.render.dashboards import write_dashboards
from sluice.whole_file import write_whole


@click.command()
@click.argument("environment", metavar="ENV")
@click.option("--registry", "registry", type=click.Path(path_type=Path), help="The registry folder to render from.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write; by default manifests/ENV.")
@click.option("--rules", type=click.Path(path_type=Path), help="Write the rules as a file for Prometheus, too.")
@click.option("--alertmanager", type=click.Path(path_type=Path), help="Write Alertmanager's configuration, too.")
@click.option("--dashboards", type=click.Path(path_type=Path), help="Write Grafana's dashboards into a folder, too.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def render(
    environment: str,
    registry: Path | None,
    out: Path | None,
    rules: Path | None,
    alertmanager: Path | None,
    dashboards: Path | None,
    output_format: str,
) -> None:
    """Write what should exist in an environment, one object a file.

    ENV is an environment of the project: one with a Pulumi.ENV.yaml. The same registry and settings give the same bytes
    each time; no cluster and no Pulumi is asked. Manifests of objects that are gone are removed from the folder.
    For who has no prometheus-operator, --rules and --alertmanager write the same as plain files; --dashboards does for
    who has a Grafana that does not read them from the cluster.
    """
    if environment not in environments(PROJECT):
        raise UnknownEnvironment(environment, environments(PROJECT))
    declared = load_environment(PROJECT, environment, folder=registry)
    rendered = render_environment(declared.registry, declared.rollout, declared.settings)
    folder = out or PROJECT / "manifests" / environment
    written = write_manifests(rendered, folder)
    if rules is not None:
        write_whole(rules, rules_text(declared.settings))
    if alertmanager is not None:
        write_whole(alertmanager, alertmanager_text(declared.settings))
    if dashboards is not None:
        write_dashboards(declared.settings, dashboards)
    if output_format == "json":
        click.echo(
            json.dumps(
                {
                    "environment": environment,
                    "folder": shown_file(folder),
                    "changed": written.changed,
                    "removed": written.removed,
                    "unchanged": written.unchanged,
                },
                indent=2,
            )
        )
        return
    for name in written.changed:
        click.echo(f"wrote {shown_file(folder / name)}")
    for name in written.removed:
        click.echo(f"removed {shown_file(folder / name)}")
    total = len(written.changed) + len(written.unchanged)
    click.echo(f"{shown_file(folder)}: {total} files, {len(written.changed)} changed, {len(written.removed)} removed")
