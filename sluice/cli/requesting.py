"""What `sluice promote` and `sluice advance` share: where requests go, and what is printed of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from sluice.cli.options import prometheus as of_prometheus
from sluice.deploy.emergency import whoever_types
from sluice.git import Git
from sluice.gitops.advancing import Outcome, Requesting
from sluice.gitops.branches import Others, others_of
from sluice.gitops.forge.finding import Kind, forge_of
from sluice.gitops.forge.forge import Forge
from sluice.gitops.proposing import Draft, Proposal, propose
from sluice.local.folders import PROJECT
from sluice.rollout.proposal import Force

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--force", is_flag=True, help="Go on against what was measured; needs --reason, and is recorded."),
    click.option("--reason", default="", help="Why it is right all the same, for whoever looks next."),
    click.option("--together", is_flag=True, help="One request for all agents, and none where one may not."),
    click.option("--merge", "merges", is_flag=True, help="Merge it at once, where no review is asked for."),
    of_prometheus,
    click.option("--remote", metavar="NAME", help="Where branches are pushed to; by default origin, if there is one."),
    click.option("--base", metavar="BRANCH", help="What requests go into; by default what the remote stands on."),
    click.option(
        "--forge",
        type=click.Choice([str(kind) for kind in Kind]),
        default="auto",
        show_default=True,
        help="Where requests are opened. auto: by the remote's address, with a token; none: only push the branch.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for beside the agents."""

    force: Force | None
    together: bool
    requesting: Requesting
    prometheus: str | None

    def groups(self, agents: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the agents of each request."""
        return [tuple(agents)] if self.together else [(agent,) for agent in agents]


def options(command: _Command) -> _Command:
    """Give a command the options of a request."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked(environment: str, **chosen: Any) -> Asked:
    """Read the options. Raises NoReason, NoToken, NoSuchRemote, GitRefused."""
    if chosen["reason"] and not chosen["force"]:
        raise click.UsageError("--reason is for --force")
    force = Force(whoever_types(), chosen["reason"]) if chosen["force"] else None
    others, forge = _where(chosen["remote"], chosen["base"], Kind(chosen["forge"]))
    requesting = Requesting(others, forge, environment, chosen["merges"])
    return Asked(force, chosen["together"], requesting, chosen["prometheus"])


def proposed(draft: Draft) -> Proposal:
    """Make one request where requests usually go. Raises NoToken, GitRefused and what `propose` and the draft raise."""
    others, forge = _where(None, None, Kind.AUTO)
    return propose(others, forge, draft)


def show(outcomes: Iterable[Outcome], output_format: str, *, with_text: bool) -> int:
    """Print what became of each, and return the exit code: the worst, but no 1 where anything was proposed.

    Where a later one ends it all, what was done before is printed all the same: it stays done.
    """
    done: list[Outcome] = []
    try:
        for one in outcomes:
            done.append(one)
            if output_format != "json":
                _print(one, with_text=with_text)
    except BaseException:
        if output_format == "json" and done:
            _print_as_json(done)
        raise
    if output_format == "json":
        _print_as_json(done)
    codes = [one.error.exit_code for one in done if one.error is not None]
    could_not = [code for code in codes if code > 1]
    return max(could_not) if could_not else (1 if codes and len(codes) == len(done) else 0)


def _where(remote: str | None, base: str | None, kind: Kind) -> tuple[Others, Forge | None]:
    others = others_of(Git(PROJECT), remote, base)
    return others, forge_of(others.address, kind, os.environ)


def _print(one: Outcome, *, with_text: bool) -> None:
    if one.error is not None:
        click.echo(str(one.error), err=True)
    if (done := one.proposal) is not None:
        lies, change = done.published, done.change
        if with_text and done.request is None:
            click.echo(f"{change.title}\n\n{change.body}")
        where = done.request.url if done.request else f"branch {lies.branch}"
        click.echo(f"{change.title}\n  {where}: {lies.became}, commit {lies.commit[:12]}")
        if done.merged:
            click.echo(f"  merged as {done.merged[:12]}")
        for branch in done.superseded:
            click.echo(f"  superseded: {branch}")
        for edited in done.left_alone:
            click.echo(f"  {edited}", err=True)
    for branch in one.withdrawn:
        click.echo(f"  withdrawn: {branch}")
    for edited in one.left_alone:
        click.echo(f"  {edited}", err=True)


def _print_as_json(done: Sequence[Outcome]) -> None:
    click.echo(json.dumps([_data(one) for one in done], indent=2, ensure_ascii=False))


def _data(one: Outcome) -> dict[str, Any]:
    done = one.proposal
    return {
        "agents": list(one.agents),
        "error": str(one.error) if one.error else None,
        "title": done.change.title if done else None,
        "text": done.change.body if done else None,
        "branch": done.published.branch if done else None,
        "commit": done.published.commit if done else None,
        "became": str(done.published.became) if done else None,
        "request": done.request.url if done and done.request else None,
        "merged": done.merged if done else None,
        "superseded": list(done.superseded) if done else [],
        "withdrawn": list(one.withdrawn),
        "left_alone": [str(edited) for edited in (done.left_alone if done else one.left_alone)],
    }
