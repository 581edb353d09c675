"""`sluice explain`: prints the page of a rule, so that nobody has to leave the terminal to learn what it wants."""

from __future__ import annotations

import json

import click

from sluice.cli import options
from sluice.errors import SluiceError
from sluice.registry.findings import did_you_mean
from sluice.registry.rules.catalogue import RULES
from sluice.registry.rules.page import page, severities


class NoSuchRule(SluiceError):
    """A rule was asked for that there is not."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        super().__init__(f'no rule is named "{name}"; {did_you_mean(name, RULES, of="rules")}')


@click.command()
@click.argument("rule", metavar="[RULE]", required=False)
@options.output_format
def explain(rule: str | None, output_format: str) -> None:
    """Print what a rule of the registry wants, and why.

    RULE is the id that stands behind a mistake, such as SL034; without it, every rule is listed.
    """
    if rule is not None and rule.upper() not in RULES:
        raise NoSuchRule(rule)
    chosen = [RULES[rule.upper()]] if rule is not None else list(RULES.values())
    if output_format == "json":
        pages = [
            {
                "id": one.id,
                "title": one.title,
                "text": one.text,
                "wrong": one.wrong,
                "right": one.right,
                "severity": {
                    "dev": one.severities.dev,
                    "staging": one.severities.staging,
                    "production": one.severities.production,
                },
                "looks_at": one.looks_at,
            }
            for one in chosen
        ]
        click.echo(json.dumps(pages if rule is None else pages[0], indent=2, ensure_ascii=False))
    elif rule is not None:
        click.echo(page(chosen[0]))
    else:
        for one in chosen:
            click.echo(f"{one.id}  {one.title} ({severities(one)})")
