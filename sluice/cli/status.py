"""`sluice status`: what git wants, what is allowed, what is served, and where the cluster is not what git says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from sluice.cli import options
from sluice.deploy.launch import declared_environment
from sluice.deploy.status import AgentStatus, Status
from sluice.deploy.status import status as status_of
from sluice.deploy.target import target

_LOOK_EVERY_SECONDS = 2.0


@click.command()
@click.argument("environment", metavar="[ENV]", default="dev")
@click.option("--watch", is_flag=True, help="Look again every two seconds, and print whenever something has changed.")
@options.context
@options.output_format
def status(environment: str, watch: bool, context: str | None, output_format: str) -> int:
    """Show what git wants of each agent, what is allowed, what is served, and where the cluster drifted.

    ENV is the environment, dev by default. Exit code 1 says that the cluster is not what git says: pods serve other
    weights, an override is lower, or an object was changed or deleted by hand. Nothing is changed.
    """
    access = target(context).connect()
    shown = None
    while True:
        found = status_of(access, declared_environment(environment))
        if found != shown:
            _print_json(found) if output_format == "json" else _print(found)
            shown = found
        if not watch:
            return 0 if found.is_as_git_says else 1
        time.sleep(_LOOK_EVERY_SECONDS)


def _print(found: Status) -> None:
    if not found.is_there:
        click.echo(f"nothing of {found.environment} is in this cluster; `sluice up {found.environment}` puts it there")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("agent", "candidate"):
        table.add_column(column, no_wrap=True)
    for column in ("wanted", "allowed", "served"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for agent in found.agents:
        table.add_row(*_row(agent))
    Console(highlight=False).print(table)
    click.echo("\n".join(_lines(found)))


def _row(agent: AgentStatus) -> tuple[str, ...]:
    served = " or ".join(f"{weight:g}" for weight in agent.served_percent) or "?"
    wanted, allowed = str(agent.wanted_percent), str(agent.allowed_percent)
    return agent.agent, agent.candidate or "-", wanted, allowed, served, _why(agent)


def _why(agent: AgentStatus) -> str:
    if agent.is_as_git_says:
        return ""
    if agent.allowed_percent < agent.wanted_percent:
        return "overridden"
    return "not served" if agent.served_percent else "no pod answers"


def _lines(found: Status) -> Iterator[str]:
    yield ""
    yield _pods(found)
    for key, entry in found.overrides.items():
        said = ", ".join(part for part in (entry.by, entry.at, entry.reason) if part)
        yield f"override: {key} at most {entry.weight_percent} %{f' ({said})' if said else ''}"
    yield from found.complaints
    yield from (f"drift: {difference}" for difference in found.differences)
    if found.differences:
        yield f"`sluice up {found.environment}` makes it as git says"
    if found.unseen:
        yield f"not looked at, for want of the right to read: {', '.join(found.unseen)}"
    if found.is_as_git_says:
        yield "the rest is what git says" if found.unseen else "the cluster is what git says"


def _pods(found: Status) -> str:
    count = len(found.pods)
    silent = [pod for pod, answers in found.pods.items() if not answers]
    text = "1 gateway pod" if count == 1 else f"{count} gateway pods"
    return f"{text}; no answer from {', '.join(silent)}" if silent else text


def _print_json(found: Status) -> None:
    document = {
        "environment": found.environment,
        "as_git_says": found.is_as_git_says,
        "there": found.is_there,
        "agents": [
            {
                "agent": agent.agent,
                "candidate": agent.candidate,
                "wanted": agent.wanted_percent,
                "allowed": agent.allowed_percent,
                "served": list(agent.served_percent),
            }
            for agent in found.agents
        ],
        "pods": [{"pod": pod, "answers": answers} for pod, answers in found.pods.items()],
        "overrides": {key: asdict(entry) for key, entry in found.overrides.items()},
        "complaints": list(found.complaints),
        "drift": [asdict(difference) for difference in found.differences],
        "not_looked_at": list(found.unseen),
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
