"""`sluice review`: the outputs that wait for a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from sluice.cli import options
from sluice.cli.reply_table import printable
from sluice.deploy.in_gateway import kept
from sluice.deploy.launch import declared_environment
from sluice.deploy.target import target

_SHOWN = 60


@click.group()
def review() -> None:
    """Look at the outputs that wait for a person, and decide on them.

    They are read in a gateway pod, through the API server: your kubeconfig needs pods/exec in the environment's
    namespace.
    """


@review.command("list")
@click.argument("environment", metavar="ENV")
@click.option("--agent", help="Only this agent's.")
@click.option("--status", type=click.Choice(["pending", "approved", "rejected"]), default="pending", show_default=True)
@click.option("--most", type=click.IntRange(1, 1000), default=100, show_default=True, help="No more than so many.")
@options.context
@options.output_format
def list_items(
    environment: str, agent: str | None, status: str, most: int, context: str | None, output_format: str
) -> None:
    """List outputs, the newest first."""
    arguments = ["review", "list", "--status", status, "--most", str(most), *(["--agent", agent] if agent else [])]
    items = _asked(environment, context, arguments)
    if output_format == "json":
        click.echo(json.dumps(items, indent=2, ensure_ascii=False))
    elif not items:
        click.echo(f"nothing is {status}", err=True)
    for item in items if output_format == "text" else ():
        answer = printable(" ".join(item["answer"].split()))
        shown = answer if len(answer) <= _SHOWN else f"{answer[:_SHOWN]}..."
        click.echo(f"{item['id']}  {_time(item)}  {item['arm']:9}  {item['model']}  {shown}")


@review.command()
@click.argument("environment", metavar="ENV")
@click.argument("item_id", metavar="ID")
@options.context
@options.output_format
def show(environment: str, item_id: str, context: str | None, output_format: str) -> None:
    """Show one output with its question; addresses and numbers of persons were taken out before it was kept."""
    _print(_asked(environment, context, ["review", "show", item_id]), output_format)


def _deciding(verb: str, what: str) -> Callable[..., None]:
    @click.argument("environment", metavar="ENV")
    @click.argument("item_id", metavar="ID")
    @click.option("--by", "reviewer", required=True, metavar="NAME", help="Who decides.")
    @click.option("--note", help="What the next reader should know.")
    @options.context
    @options.output_format
    def decide(
        environment: str, item_id: str, reviewer: str, note: str | None, context: str | None, output_format: str
    ) -> None:
        arguments = ["review", verb, item_id, "--by", reviewer, *(["--note", note] if note else [])]
        item = _asked(environment, context, arguments)
        if output_format == "json":
            click.echo(json.dumps(item, indent=2, ensure_ascii=False))
        else:
            click.echo(f"{item['id']} is {item['status']} by {item['reviewer']}")

    decide.__doc__ = what
    return decide


review.command("approve")(_deciding("approve", "Say that an output was right. An output is decided once."))
review.command("reject")(_deciding("reject", "Say that an output was wrong. An output is decided once."))


def _asked(environment: str, context: str | None, arguments: list[str]) -> Any:
    namespace = declared_environment(environment).settings.namespace
    return kept(target(context).connect(), namespace, arguments)


def _print(item: dict[str, Any], output_format: str) -> None:
    if output_format == "json":
        click.echo(json.dumps(item, indent=2, ensure_ascii=False))
        return
    click.echo(f"{item['id']}  {item['status']}  {_time(item)}  {item['arm']}, {item['model']}")
    click.echo(f"waits for {item['reviewed_by']}: {item['reason']}")
    if item["reviewer"]:
        click.echo(f"decided by {item['reviewer']}{': ' + item['note'] if item['note'] else ''}")
    click.echo(f"\nQUESTION\n{printable(item['question'])}\n\nANSWER\n{printable(item['answer'])}")


def _time(item: dict[str, Any]) -> str:
    return datetime.fromtimestamp(item["at_seconds"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
