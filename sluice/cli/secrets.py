"""`sluice secrets`: the keys that an environment asks for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sluice.cli import options
from sluice.deploy.launch import declared_environment
from sluice.deploy.rotation import rotate as rotate_key
from sluice.deploy.secret_values import LONGEST_VALUE, WantedSecret, set_secret, wanted_secret, wanted_secrets
from sluice.deploy.target import target
from sluice.progress import Progress

_MOST_BYTES = 4 * LONGEST_VALUE + 2


@click.group()
def secrets() -> None:
    """List, set and rotate the keys that an environment asks for.

    Pulumi.ENV.yaml keeps them, encrypted: commit it. A value is read from standard input, from a file, or asked for; it
    is no argument, because arguments stay in the shell's history and show in the list of processes.
    """


@secrets.command(name="list")
@click.argument("environment", metavar="ENV")
@options.output_format
def list_(environment: str, output_format: str) -> None:
    """Print which keys are asked for, by whom, and whether they are set."""
    found = wanted_secrets(declared_environment(environment))
    if output_format == "json":
        click.echo(json.dumps([_row(wanted) for wanted in found], indent=2))
        return
    width = max((len(wanted.name) for wanted in found), default=0)
    for wanted in found:
        click.echo(f"{wanted.name:{width}}  {_state(wanted):7}  {_asked_by(wanted)}  ({wanted.place})")


def _value_given(command: Callable[..., None]) -> Callable[..., None]:
    """Add what names a secret and says where its value is to be read."""
    decorators = (
        click.argument("environment", metavar="ENV"),
        click.argument("name", metavar="NAME"),
        # Whoever types the value here must not see it again in click's complaint about an argument too many.
        click.argument("value", nargs=-1, metavar="", callback=_no_argument, expose_value=False),
        click.option(
            "--from-file",
            "file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Read the value from this file instead of from standard input.",
        ),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _no_argument(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        raise click.UsageError(
            "the value is no argument: it would stay in the shell's history and show in the list of processes. "
            "Give it on standard input, by --from-file, or when it is asked for. "
            "If this was a real key, have its provider replace it."
        )


@secrets.command(name="set")
@_value_given
def set_(environment: str, name: str, file: Path | None) -> None:
    """Encrypt a key into Pulumi.ENV.yaml; the next `sluice up ENV` brings it."""
    wanted_secret(environment, name)  # before anything is asked
    changed = set_secret(environment, name, _read(name, file), Progress())
    click.echo(f"{name} of {environment} is set" if changed else f"{name} of {environment} is that already")
    if changed:
        click.echo(
            f"commit Pulumi.{environment}.yaml; the next update brings the key: sluice up {environment}", err=True
        )


@secrets.command()
@_value_given
@options.context
@click.option(
    "--wait",
    "patience_seconds",
    type=click.FloatRange(1, 3600),
    default=180,
    show_default=True,
    help="For how many seconds at most to wait until every gateway pod uses the new key.",
)
@options.output_format
def rotate(
    environment: str, name: str, file: Path | None, context: str | None, patience_seconds: float, output_format: str
) -> None:
    """Set a key, bring it into the cluster at once, and wait until every gateway pod uses it.

    Nothing else of the environment is touched, no pod restarts and no request fails, as long as the provider takes the
    old key until this is done. Run it again with the same value to wait on.
    """
    wanted_secret(environment, name)  # before anything is asked
    value = _read(name, file)
    rotation = rotate_key(environment, target(context), name, value, Progress(), patience_seconds=patience_seconds)
    if output_format == "json":
        said = {"environment": environment, "secret": name, "changed": rotation.changed, "pods": dict(rotation.pods)}
        click.echo(json.dumps(said, indent=2))
    elif rotation.pods:
        slowest = max(rotation.pods.values())
        click.echo(
            f"{name} of {environment}: all {len(rotation.pods)} gateway pods use it, the last after {slowest:g} s"
        )
    else:
        click.echo(f"{name} of {environment}: it is in the cluster; pods use it at their next connection to Redis")
    click.echo(f"commit Pulumi.{environment}.yaml, then have the old key revoked where it was issued", err=True)


def _read(name: str, file: Path | None) -> str:
    """Return the value without the line break at its end. No part of it is ever shown."""
    if file is None and sys.stdin.isatty():
        value: str = click.prompt(name, hide_input=True, confirmation_prompt=True, err=True)
        return value
    if file is None:
        content = sys.stdin.buffer.read(_MOST_BYTES)
    else:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES)
    return content.decode("utf-8", errors="replace").removesuffix("\n").removesuffix("\r")


def _state(wanted: WantedSecret) -> str:
    if wanted.is_set is None:
        return "there"
    if wanted.is_set:
        return "set"
    return "missing" if wanted.providers else "not set"


def _asked_by(wanted: WantedSecret) -> str:
    return ", ".join(wanted.providers) or "Redis, where it wants one"


def _row(wanted: WantedSecret) -> dict[str, Any]:
    return {"name": wanted.name, "providers": wanted.providers, "set": wanted.is_set, "place": wanted.place}
