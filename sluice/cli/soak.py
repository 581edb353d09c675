"""`sluice soak`: the test before production, a query set for each agent, scored, and the way back exercised."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sluice.cli import options
from sluice.deploy.ask import Reply
from sluice.deploy.ask import ask as ask_agent
from sluice.deploy.launch import declared_environment
from sluice.deploy.prometheus_access import NoPrometheus, prometheus_of
from sluice.deploy.soak import Soaking, plan_soak
from sluice.deploy.soak_exercise import Exercise, gateway_digest
from sluice.deploy.soak_record import SoakRecord
from sluice.deploy.target import target
from sluice.local.folders import PROJECT, cache_folder
from sluice.registry.evidence import SoakEvidence, SoakMadeOf
from sluice.registry.rules.gates import soak_faults
from sluice.registry.soak_contents import scorer_digest
from sluice.registry.typed import duration
from sluice.rollout.soak import Answered, evidence_text, lasted, soak_evidence, soaked_model
from sluice.whole_file import write_whole


class _Duration(click.ParamType[timedelta]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return duration(str(value))
        except ValueError:
            self.fail(f"{value} is no time such as 90s, 5m, 24h or 2d", param, ctx)


@click.command()
@click.argument("environment", metavar="ENV")
@click.option(
    "--agent", "agents", multiple=True, metavar="AGENT", help="Soak this one; again for more. By default all."
)
@click.option(
    "--lasts", type=_Duration(), help="Spread the queries over this time, as 24h; by default gates.soak.lasts."
)
@click.option("--queries", type=click.IntRange(1), help="Of each agent; by default gates.soak.queries.")
@click.option(
    "--budget", type=click.FloatRange(0), metavar="DOLLARS", help="By default a day's warning of the registry."
)
@click.option("--key-file", type=click.File(), help="A file with your team's key; else SLUICE_API_KEY holds it.")
@options.prometheus
@options.context
@options.output_format
def soak(
    environment: str,
    agents: tuple[str, ...],
    lasts: timedelta | None,
    queries: int | None,
    budget: float | None,
    key_file: IO[str] | None,
    prometheus: str | None,
    context: str | None,
    output_format: str,
) -> int:
    """Ask every candidate its queries, score the answers, exercise the way back, and write the evidence.

    The queries stand in registry/queries/AGENT.txt. They are asked at a pace that the provider allows; a soak that was
    killed goes on with the same command. At its end every agent is sent to its baseline and back by an override, and
    registry/evidence/soak-ENV-DAY.yaml says what was found, and of what. Exit code 1 says that it fell short of
    gates.soak, or that the budget is spent.
    """
    declared = declared_environment(environment)
    gate, folder = declared.registry.gates.soak, PROJECT / "registry"
    plan = plan_soak(declared, folder, agents, gate.lasts if lasts is None else lasts, queries or gate.queries)
    access = target(context).connect()
    key = key_file.read().strip() if key_file else os.environ.get("SLUICE_API_KEY")

    def ask(agent: str, text: str, user: str) -> Reply:
        return ask_agent(access, declared, agent, text, user, key)

    made_of = SoakMadeOf(plan.digests, scorer_digest(), gateway_digest(access, declared.settings.namespace))
    ids = {candidate: declared.registry.models[candidate].id for candidate in plan.candidates.values()}
    record = SoakRecord.of(cache_folder() / "soaks", environment, ids, made_of)
    try:
        asked = prometheus_of(access, declared.settings, prometheus)
    except NoPrometheus:
        asked = None
    console = Console(stderr=True, highlight=False)
    exercise = Exercise(access, declared, tuple(plan.queries), ask, asked, say=lambda text: _say(console, text))
    exercise.tidy()
    dollars = declared.registry.budgets.day.warning_dollars if budget is None else budget
    _run(console, Soaking(declared, plan, record, ask, dollars))
    if record.exercised is None:
        record.exercise(exercise.run())
    assert record.exercised  # noqa: S101 - it was written just now
    models = {
        candidate: soaked_model(ids[candidate], [answer for answer in record.answers.values() if answer.agent == agent])
        for agent, candidate in plan.candidates.items()
    }
    time = lasted(list(record.answers.values()), plan.slot_seconds)
    found = soak_evidence(environment, models, time, record.exercised, made_of)
    notes = f"${record.cost_dollars:.4f} for {len(record.answers)} queries; {'; '.join(record.exercised.said)}"
    today = datetime.now(UTC).date()
    file = _free(folder / "evidence", f"soak-{environment}-{today:%Y%m%d}")
    write_whole(file, evidence_text(found, today, notes))
    record.close()
    faults = {name: soak_faults(found, model, gate) for name, model in models.items()}
    _print(found, faults, file, output_format)
    return 1 if any(faults.values()) else 0


def _run(console: Console, soaking: Soaking) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    done, total = len(soaking.record.answers), soaking.plan.total
    if done:
        _say(console, f"goes on: {done} of {total} queries were asked before")
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("soak", total=total, completed=done)

        def heard(answer: Answered) -> None:
            bar.update(task, advance=1, description=f"soak: {answer.agent}")
            count = len(soaking.record.answers)
            if not console.is_terminal and (count % 50 == 0 or count == total):
                _say(console, f"{count} of {total} queries, ${soaking.record.cost_dollars:.4f}")
            if answer.error:
                _say(bar.console, f"{answer.agent} {answer.number + 1}: {answer.error}")

        soaking.on_answer = heard
        soaking.run()


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False)


def _free(folder: Path, name: str) -> Path:
    """Return a file that is not there yet: evidence is added, and never written over."""
    folder.mkdir(exist_ok=True)
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(file for one in names if not (file := folder / f"{one}.yaml").exists())


def _print(found: SoakEvidence, faults: dict[str, list[str]], file: Path, output_format: str) -> None:
    if output_format == "json":
        models = {
            name: {
                "queries": model.queries,
                "quality": model.quality,
                "p95_seconds": model.p95.total_seconds(),
                "error_rate_percent": model.error_rate_percent,
                "short_of": faults[name],
            }
            for name, model in found.models.items()
        }
        click.echo(json.dumps({"evidence": str(file), "digest": found.digest, "models": models}, indent=2))
        return
    width = max(len(name) for name in found.models)
    click.echo(f"{'':{width}}  queries  quality     p95  errors")
    for name, model in found.models.items():
        p95 = f"{model.p95.total_seconds():.2f} s"
        click.echo(
            f"{name:{width}}  {model.queries:7}  {model.quality:7.2f}  {p95:>6}  {model.error_rate_percent:4g} %"
        )
    for name, short in faults.items():
        if short:
            click.echo(f"{name} falls short: {', '.join(short)}")
    click.echo(f"wrote {file}: review it and commit it")
