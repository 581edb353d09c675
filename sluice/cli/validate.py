"""`sluice validate`: shows what is wrong in a registry and its settings, to a person, a program or a pull request."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from sluice.cli import options
from sluice.cli.annotation import annotation
from sluice.local.folders import PROJECT
from sluice.registry import Examination, Finding, InvalidRegistry, Severity, examine, examine_project
from sluice.registry.findings import are_cut_short, printed


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=None, required=False)
@options.findings_format
@click.option(
    "--today",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day that retirements and sign-offs are held against, as 2025-11-06; by default this one.",
)
@click.option("--against", metavar="REF", help="The commit that rollouts are compared with; by default the last one.")
def validate(folder: Path | None, output_format: str, today: datetime | None, against: str | None) -> int:
    """Check a registry folder and show every mistake at once.

    DIR holds models.yaml, rollouts/ and evidence/; without it, the project's own registry is checked, and beside it
    every environment's settings. Each mistake is one line, FILE:LINE:COL: path: what is wrong; what would be right
    [RULE]. `sluice explain RULE` says more. Warnings are shown, and refuse nothing. JSON has "truncated": true where
    there is more of a kind than the thousand it lists.
    """
    whole_project = folder is None
    folder = folder or PROJECT / "registry"
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise click.BadParameter(f"{folder} {problem}; name the folder that holds models.yaml", param_hint="DIR")
    day = today.date() if today else None
    if whole_project:
        examined = examine_project(PROJECT, today=day, against=against)
    else:
        examined = examine(folder, today=day, against=against)
    findings = examined.findings
    is_valid = not any(finding.severity is Severity.ERROR for finding in findings)
    if output_format == "json":
        listed = [dataclasses.asdict(finding) for finding in findings]
        cut_short = {"truncated": True, "count": len(listed)} if are_cut_short(findings) else {}
        click.echo(json.dumps({"valid": is_valid, **cut_short, "findings": listed}, indent=2, ensure_ascii=False))
    elif output_format == "github":
        for finding in findings:
            click.echo(_annotation(finding))
    elif is_valid:
        _show_warnings(findings)
        click.echo(_summary(examined))
    else:
        raise InvalidRegistry(findings)
    return 0 if is_valid else 1


def _summary(valid: Examination) -> str:
    rollouts = ", ".join(valid.rollouts) or "none"
    warnings = len(valid.findings)
    counted = f"; {_counted(warnings, 'warning')}" if warnings else ""
    agents, models = _counted(valid.agents, "agent"), _counted(valid.models, "model")
    return f"valid: {agents}, {models}, rollouts: {rollouts}{counted}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _show_warnings(findings: Sequence[Finding]) -> None:
    if not findings:
        return
    if sys.stderr.isatty():
        import shutil  # only what is wrong needs these

        from sluice.cli.findings_text import at_terminal

        click.echo(at_terminal(findings, columns=shutil.get_terminal_size().columns), err=True)
    else:
        click.echo(printed(findings), err=True)


def _annotation(finding: Finding) -> str:
    where = f"{finding.path}: " if finding.path else ""
    message = f"{where}{finding.problem}; {finding.remedy} [{finding.rule}]"
    return annotation(finding.severity, finding.file, finding.line, finding.column, "registry", message)
