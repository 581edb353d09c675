"""`sluice simulate`: made traffic through the gates, and through fixed thresholds beside them."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click

from sluice.cli import options
from sluice.progress import Progress
from sluice.registry.judgement import Judgement
from sluice.rollout.simulation.pages import as_page, as_text
from sluice.rollout.simulation.study import CANDIDATES, VOLUMES, Outcome, Volume, by_gates, by_thresholds


@click.command()
@click.option(
    "--runs", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rollouts of each candidate."
)
@click.option(
    "--good-runs", type=click.IntRange(1, 100_000), help="Of the good one: it is to be blamed seldom. As --runs."
)
@click.option(
    "--volume",
    "volumes",
    type=click.Choice([str(volume.requests_per_day) for volume in VOLUMES]),
    multiple=True,
    help="Requests a day; by default each.",
)
@click.option("--harm", type=click.FloatRange(1e-6, 0.5), help="judgement.harm; by default the registry's own default.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write one page with plots, too.")
@options.output_format
def simulate(
    runs: int,
    good_runs: int | None,
    volumes: tuple[str, ...],
    harm: float | None,
    jobs: int,
    page: Path | None,
    output_format: str,
) -> None:
    """Replay made traffic through the gates: how fast is a bad model caught, how often a good one blamed.

    The same traffic goes through the rules of Argo Rollouts and Flagger, as their documentation has them, and with the
    dials that harm the fewest users, of those that blame a good candidate in 1 % of rollouts at most. Every run is made
    from its number: the same command prints the same tables.
    """
    judgement = Judgement() if harm is None else dataclasses.replace(Judgement(), harm=harm)
    chosen = [volume for volume in VOLUMES if not volumes or str(volume.requests_per_day) in volumes]
    progress = Progress()
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(jobs) as pool:
        for volume in chosen:
            begun = [
                pool.submit(_gates, number, volume, (good_runs or runs) if number == 0 else runs, judgement)
                for number in range(len(CANDIDATES))
            ]
            peers = pool.submit(_peers, volume, runs)
            for candidate, future in zip(CANDIDATES, begun, strict=True):
                with progress.step(f"{volume.requests_per_day:,} requests a day, {candidate.name}"):
                    outcomes.append(future.result())
            with progress.step(f"{volume.requests_per_day:,} requests a day, fixed thresholds"):
                outcomes.extend(peers.result())
    if page is not None:
        page.write_text(as_page(outcomes), encoding="utf-8")
    if output_format == "json":
        click.echo(json.dumps([dataclasses.asdict(one) for one in outcomes], indent=2))
    else:
        click.echo(as_text(outcomes))


def _gates(number: int, volume: Volume, runs: int, judgement: Judgement) -> Outcome:
    return by_gates(CANDIDATES[number], volume, runs, judgement)


def _peers(volume: Volume, runs: int) -> tuple[Outcome, ...]:
    return by_thresholds(volume, runs)
