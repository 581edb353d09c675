"""`sluice validate`: shows what is wrong in a registry folder, for a person, a program or a pull request on GitHub."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from sluice.local.folders import PROJECT
from sluice.registry import Finding, InvalidRegistry, check, load_registry, rollout_names


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=None, required=False)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for annotations in a pull request.",
)
def validate(folder: Path | None, output_format: str) -> int:
    """Check a registry folder and show every mistake at once.

    DIR holds models.yaml and rollouts/; without it, the project's own registry is checked. Each mistake is one line,
    FILE:LINE:COL: path: what is wrong; what would be right.
    """
    folder = folder or PROJECT / "registry"
    findings = check(folder)
    if output_format == "json":
        mistakes = [dataclasses.asdict(finding) for finding in findings]
        click.echo(json.dumps({"valid": not findings, "findings": mistakes}, indent=2, ensure_ascii=False))
    elif output_format == "github":
        for finding in findings:
            click.echo(_annotation(finding))
    elif findings:
        raise InvalidRegistry(findings)
    else:
        registry = load_registry(folder)
        rollouts = ", ".join(rollout_names(folder)) or "none"
        click.echo(f"valid: {len(registry.agents)} agents, {len(registry.models)} models, rollouts: {rollouts}")
    return 1 if findings else 0


def _annotation(finding: Finding) -> str:
    """Write a finding as a workflow command, escaped as GitHub's runner wants it."""
    message = _escaped(f"{finding.path}: " if finding.path else "") + _escaped(
        f"{finding.problem}; {finding.remedy} [{finding.rule}]"
    )
    file = _escaped(finding.file).replace(":", "%3A").replace(",", "%2C")
    return f"::{finding.severity} file={file},line={finding.line},col={finding.column},title=registry::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
