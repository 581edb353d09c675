"""`sluice log`: what an environment's users got, and by whose word, over time or at one moment."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click

from sluice.cli import options
from sluice.cli.reply_table import printable
from sluice.deploy.judging import override_map
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import target
from sluice.gateway.draw import bucket_of
from sluice.git import Git
from sluice.gitops.ledger import Entry, EvidenceSaid, Ledger
from sluice.gitops.moment import Moment, Rendered, Served, ended, holding, moment, overrides_at
from sluice.gitops.stepping import require_agents
from sluice.local.folders import PROJECT
from sluice.override import ALL, Overrides
from sluice.registry import Rollout
from sluice.registry.history import NothingToCompareWith
from sluice.rollout.override_map import OverrideMap

_DAY = "%Y-%m-%d"


class _When(click.ParamType[datetime]):
    """A day, which means its end, or a moment; without a time zone, by UTC."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            if len(value) <= len("2025-11-06"):
                begins = datetime.strptime(value, _DAY).replace(tzinfo=UTC)
                meant = begins.replace(hour=23, minute=59, second=59)
            else:
                found = datetime.fromisoformat(value)
                begins = meant = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is neither a day, 2025-11-06, nor a moment, 2025-11-06T10:30Z', param, ctx)
        if begins > datetime.now(UTC):
            self.fail(f"{value} is yet to come", param, ctx)
        return meant


@click.command()
@click.argument("environment", metavar="ENV")
@click.argument("agent", metavar="[AGENT]", required=False)
@click.option("--at", type=_When(), metavar="DATE", help="What users got then: a day's end, or a moment.")
@click.option("--user", metavar="KEY", help="With --at: in which arm this user was.")
@click.option(
    "--render", "folder", metavar="DIR", type=click.Path(path_type=Path), help="With --at: write what was rendered."
)
@click.option(
    "--ref", "reference", metavar="REF", default="HEAD", show_default=True, help="The branch whose history it is."
)
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="So many changes at most.")
@click.option("--offline", is_flag=True, help="Do not ask the cluster for its overrides.")
@options.context
@options.output_format
def log(
    environment: str,
    agent: str | None,
    at: datetime | None,
    user: str | None,
    folder: Path | None,
    reference: str,
    last: int,
    offline: bool,
    context: str | None,
    output_format: str,
) -> None:
    """Show the weights, overrides and evidence of an environment over time, and by whose word each came.

    From git, where each change is a merged commit, and from the cluster, where it can be reached: overrides that hold
    and the last that were lifted. With --at it says what any user got then: weights, models, and the arm of --user.
    """
    if at is None and (user is not None or folder is not None):
        raise click.UsageError("--user and --render go with --at")
    declared = declared_environment(environment)
    git = _history(reference)
    if agent is not None:
        require_agents(declared.registry, (agent,))
    overrides = None
    if not offline:
        overrides = override_map(target(context), declared.settings, lambda said: click.echo(said, err=True))
    if at is not None:
        _at(environment, agent, at, user, folder, reference, overrides, output_format)
        return
    entries = list(islice(Ledger(git, environment, reference).entries(agent), last))
    if output_format == "json":
        document = {
            "overrides": _overrides(overrides, agent, declared.rollout),
            "changes": [_entry_data(entry) for entry in entries],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in _overrides(overrides, agent, declared.rollout):
        click.echo(line)
    for entry in entries:
        click.echo("\n".join(_entry_lines(entry)))
    if not entries:
        click.echo(f"{environment}: nothing of it is in the history of {reference}", err=True)


def _history(reference: str) -> Git:
    git = Git(PROJECT)
    if git.commit_of(reference) is None:
        git.text("rev-parse", "--git-dir")  # says what is wrong with all of git, if anything is
        raise NothingToCompareWith(PROJECT, reference)
    if git.text("rev-parse", "--is-shallow-repository") == "true":
        click.echo(
            "this clone lacks older commits, so its first one seems to begin all: git fetch --unshallow", err=True
        )
    return git


def _overrides(found: OverrideMap | None, agent: str | None, rollout: Rollout) -> list[str]:
    if found is None:
        return []
    entries = found.overrides.entries
    there = Overrides({key: entry for key, entry in entries.items() if agent is None or key in (agent, ALL)})
    lines = [f"override holds: {printable(line)}" for line in holding(there, rollout)]
    lines += [f"override over: {printable(line)}" for line in ended(there, rollout)]
    lines += [
        printable(f"override lifted: {one.key} at {one.at} by {one.by}: {one.reason}; it was {one.was}")
        for one in found.lifted
        if agent is None or one.key in (agent, ALL)
    ]
    return lines


def _entry_lines(entry: Entry) -> list[str]:
    people = [f"by {entry.by}"]
    if entry.merged_by not in ("", entry.by):
        people.append(f"merged by {entry.merged_by}")
    if entry.approved_by:
        people.append(f"approved by {', '.join(entry.approved_by)}")
    lines = [f"{entry.at:%Y-%m-%d %H:%M} UTC  {entry.commit[:12]}  {', '.join(people)}"]
    lines += [f"    {change.agent or 'all'}: {change.text}" for change in entry.changes]
    lines += [f"    {_said(one)}" for one in entry.evidence]
    if entry.forced:
        lines.append(f"    forced past the gates by {entry.forced}")
    return [printable(line) for line in lines]


def _said(one: EvidenceSaid) -> str:
    by = f" by {one.by}" if one.by else ""
    about = f" for {', '.join(one.models)}" if one.models else ""
    return f"evidence {'taken away' if one.is_gone else 'given'}: {one.kind} {one.name}{by}{about}"


def _at(
    environment: str,
    agent: str | None,
    at: datetime,
    user: str | None,
    folder: Path | None,
    reference: str,
    found: OverrideMap | None,
    output_format: str,
) -> None:
    with moment(Git(PROJECT), environment, reference, at) as then:
        held = overrides_at(found, at)
        served = [one for one in then.served(held, user, bucket_of) if agent in (None, one.agent)]
        rendered = then.render_into(folder) if folder is not None else None
        rollout = then.declared.rollout
        overrides = [*holding(held, rollout), *ended(held, rollout)]
    if output_format == "json":
        document = {
            "at": at.isoformat(),
            "commit": then.commit,
            "since": then.since.isoformat(),
            "user": user,
            "overrides": overrides,
            "agents": [{**dataclasses.asdict(one), "served_percent": one.served_percent} for one in served],
            "rendered": dataclasses.asdict(rendered) if rendered else None,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    shown = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"{environment} at {shown}: commit {then.commit[:12]} of {then.since:%Y-%m-%d %H:%M} UTC")
    width = max((len(one.agent) for one in served), default=0)
    for one in served:
        click.echo(f"  {one.agent:{width}}  {_served_line(one, user)}")
    for line in overrides:
        click.echo(f"  override: {printable(line)}")
    if rendered is not None and folder is not None:
        click.echo(_rendered_line(rendered, folder, then))


def _served_line(one: Served, user: str | None) -> str:
    baseline = ", ".join(one.baseline)
    if one.candidate is None:
        said = f"everybody: {baseline}"
    else:
        allowed = f" (git wanted {one.wanted_percent})" if one.served_percent != one.wanted_percent else ""
        said = f"{one.served_percent} % on {one.candidate}{allowed}, the others: {baseline}"
    if one.arm is None:
        return said
    got = one.candidate if one.arm == "candidate" else one.baseline[0]
    return f"{said}; {printable(user or '')} was on the {one.arm}, {got}"


def _rendered_line(rendered: Rendered, folder: Path, then: Moment) -> str:
    written = f"{folder}: {rendered.files} files"
    if rendered.otherwise is None:
        return f"{written}; the commit keeps no manifests to hold them against"
    if not rendered.otherwise:
        return f"{written}, the same as the commit has, byte for byte"
    some = ", ".join(rendered.otherwise[:5])
    return (
        f"{written}; {len(rendered.otherwise)} of them are rendered otherwise by now ({some}); "
        f"as they were then, git has them: git show {then.commit[:12]}:manifests/..."
    )


def _entry_data(entry: Entry) -> dict[str, Any]:
    return {**dataclasses.asdict(entry), "at": entry.at.isoformat()}
