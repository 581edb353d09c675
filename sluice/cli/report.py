"""`sluice report`: what became of each agent in the last days, on one page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from sluice.cli import options
from sluice.deploy.report import report_of
from sluice.deploy.target import target
from sluice.rollout.report.asking import LONGEST
from sluice.rollout.report.data import as_json
from sluice.rollout.report.page import as_page
from sluice.whole_file import write_whole

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""Long before anything was rolled out: with days taken off, an earlier one may be no date at all."""

_DAYS = re.compile(r"([1-9][0-9]?)d")


class _Days(click.ParamType[int]):
    name = "days"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `7d`."""
        if isinstance(value, int):
            return value
        found = _DAYS.fullmatch(str(value))
        if found is None or int(found[1]) > LONGEST.days:
            self.fail(f"{value!r} is no number of days; write 1d to {LONGEST.days}d", param, ctx)
        return int(found[1])


@click.command()
@click.argument("environment", metavar="ENV")
@click.option("--since", "days", type=_Days(), default="7d", show_default=True, help="How many days back, as 7d.")
@click.option(
    "--until",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    help="When the last day ends, as 2025-11-12 or 2025-11-12T06:00, in UTC; by default now.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; by default report-ENV.html, and standard output with --format json.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["html", "json"]),
    default="html",
    show_default=True,
    help="html for people, json for programs.",
)
@options.prometheus
@options.context
def report(
    environment: str,
    days: int,
    until: datetime | None,
    out: Path | None,
    output_format: str,
    prometheus: str | None,
    context: str | None,
) -> None:
    """Write what became of each agent in the last days, on one page that stands alone.

    Weights and what happened to them, points, latency, errors and savings of both arms, the worst and the late answers,
    and whether the candidate is as good as the baseline, by the gates. What is not known is said and not drawn.
    """
    ends = until.replace(tzinfo=UTC) if until else None
    if ends and ends > datetime.now(UTC):
        raise click.BadParameter("is yet to come", param_hint="--until")
    if ends and ends < _FIRST:
        raise click.BadParameter(f"lies before {_FIRST:%Y}, when nothing was measured", param_hint="--until")
    made = report_of(target(context).connect, environment, days, prometheus, ends)
    for one in made.missing:
        click.echo(f"missing: {one}", err=True)
    text = as_json(made) if output_format == "json" else as_page(made)
    if out is None and output_format == "json":
        click.echo(text)
        return
    file = out or Path(f"report-{environment}.html")
    write_whole(file, text)
    for agent in made.agents:
        if agent.comparison is not None:
            click.echo(f"{agent.agent}: {agent.comparison.verdict}")
    click.echo(f"the report is in {file}")
