"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

import re

import click

_ADDRESS = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


class _Address(click.ParamType[str]):
    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take an address as it is written."""
        if not _ADDRESS.fullmatch(str(value)):
            self.fail(f"{value!r} is no address; write one such as http://127.0.0.1:9090", param, ctx)
        return str(value)


output_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)

findings_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="text for people, json for programs, github for annotations in a pull request.",
)
"""For what is wrong in files: a forge shows it at the line."""

context = click.option(
    "--context",
    metavar="NAME",
    help="A context of your kubeconfig: use that cluster. Without it and without KUBECONFIG, the local one is used.",
)

prometheus = click.option(
    "--prometheus", metavar="URL", type=_Address(), help="By default the one that `sluice:prometheus` names."
)
