"""`sluice status`: what git wants, what is allowed, what is served, how both arms fare, and what comes next."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.live import Live

from sluice.cli import options
from sluice.cli.status_text import Look, data, page
from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.fares import Fares, Faring
from sluice.deploy.launch import declared_environment
from sluice.deploy.status import status as status_of
from sluice.deploy.target import target
from sluice.rollout.set_clock import now_in

_LOOK_EVERY_SECONDS = 2.0
_MEASURE_EVERY_SECONDS = 15.0
"""As often as Prometheus scrapes: sooner there is nothing new."""

_WIDE = 400


@click.command()
@click.argument("environment", metavar="[ENV]", default="dev")
@click.option("--watch", is_flag=True, help="Look on: at a terminal in place, elsewhere print what has changed.")
@options.prometheus
@options.context
@options.output_format
def status(environment: str, watch: bool, prometheus: str | None, context: str | None, output_format: str) -> int:
    """Show what git wants of each agent, what is allowed and served, how its arms fare, and what comes next.

    ENV is the environment, dev by default. Quality, latency, errors and spend of both arms are of the last 24 hours, or
    of the step where it is younger, and come from Prometheus; without one the rest is shown. Exit code 1 says that the
    cluster is not what git says: pods serve other weights, an override is lower, or an object was changed or deleted by
    hand; 3, that it is, and Prometheus did not answer. Nothing is changed.
    """
    looking = _Looking(environment, target(context).connect(), prometheus)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE  # whoever reads it later cuts it by themselves
    if not watch:
        look = looking.look()
        _show(console, look, output_format)
        return _exit_code(look)
    if output_format == "text" and console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            return _watched(looking, lambda look: live.update(page(look), refresh=True), always=True)
    return _watched(looking, lambda look: _show(console, look, output_format), always=False)


@dataclass(slots=True)
class _Looking:
    """Looks at one environment again and again, at its metrics more seldom."""

    environment: str
    access: ClusterAccess
    prometheus: str | None
    _faring: Faring | None = None
    _fares: Fares = field(default_factory=Fares)
    _measured_at: float = -_MEASURE_EVERY_SECONDS

    def look(self) -> Look:
        declared = declared_environment(self.environment)
        found, now = status_of(self.access, declared), now_in(self.environment)
        self._faring = self._faring or Faring(self.access, self.prometheus)
        if found.is_there and time.monotonic() - self._measured_at >= _MEASURE_EVERY_SECONDS:
            self._measured_at, self._fares = time.monotonic(), self._faring.look(declared, now)
        return Look(found, self._fares, now)


def _watched(looking: _Looking, show: Callable[[Look], None], *, always: bool) -> int:
    """Look and show until somebody interrupts; return what the last look would have ended with."""
    shown, code = None, 0
    try:
        while True:
            look = looking.look()
            if always or look.gist != shown:
                show(look)
                shown = look.gist
            code = _exit_code(look)
            time.sleep(_LOOK_EVERY_SECONDS)
    except KeyboardInterrupt:
        return code


def _show(console: Console, look: Look, output_format: str) -> None:
    if output_format == "json":
        click.echo(json.dumps(data(look), indent=2, ensure_ascii=False))
    else:
        console.print(page(look))


def _exit_code(look: Look) -> int:
    if not look.found.is_as_git_says:
        return 1
    return 3 if look.fares.why_not and look.fares.is_named else 0
