"""`sluice cost`: what an environment costs a month, by forecast and as measured, against its budgets."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from sluice.cli import options
from sluice.deploy.launch import declared_environment
from sluice.deploy.prometheus_access import match_of, prometheus_of
from sluice.deploy.target import target
from sluice.errors import SluiceError
from sluice.local.folders import PROJECT
from sluice.registry import environments, load_registry, load_rollout, rollout_names
from sluice.registry.plan import NoSuchEnvironment
from sluice.rollout.cost import Actual, EnvironmentCost, TrainingCost, cost_of
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.spent import actual_of


@click.command()
@click.argument("environment", metavar="ENV")
@click.option("--registry", "folder", type=click.Path(path_type=Path), help="The folder; by default the project's.")
@options.prometheus
@options.context
@options.output_format
def cost(environment: str, folder: Path | None, prometheus: str | None, context: str | None, output_format: str) -> int:
    """Show what an environment costs a month, at its weights and at every step.

    ENV has a file in rollouts/. A forecast, from the traffic that is expected, its tokens and the prices of models, and
    beside it what was spent this month, where a Prometheus says so; without one the forecast stands alone, and says
    why. The cap counts fine-tuned models alone; exit code 1 says that the forecast, or what was spent, is above it.
    """
    of_project = folder is None
    folder = folder or PROJECT / "registry"
    if folder.is_dir() and environment not in rollout_names(folder):
        raise NoSuchEnvironment(folder, environment)
    registry = load_registry(folder)
    rollout = load_rollout(folder, environment, registry)
    spent, why_not = _spent(environment, prometheus, context) if of_project else (None, "it is of another folder")
    found = cost_of(registry, rollout, spent)
    data = json.dumps({**_data(found), "why_not_measured": why_not}, indent=2)
    click.echo(data if output_format == "json" else _text(found, why_not))
    return 0 if found.is_under_the_cap else 1


def _spent(environment: str, instead: str | None, context: str | None) -> tuple[Actual | None, str]:
    """Return what was spent, or why that is not known."""
    try:
        if environment not in environments(PROJECT):
            return None, f"there is no Pulumi.{environment}.yaml"
        settings = declared_environment(environment).settings
        if instead is not None:
            asked = Prometheus(instead.rstrip("/"))
        elif settings.prometheus is None:
            return None, f"Pulumi.{environment}.yaml names no Prometheus (sluice:prometheus)"
        else:
            asked = prometheus_of(target(context).connect(), settings)
        found = actual_of(asked, match_of(settings), datetime.now(UTC))
    except SluiceError as error:
        return None, str(error)
    return found, "" if found else "Prometheus knows no sluice_spend_dollars of it"


def _text(found: EnvironmentCost, why_not: str) -> str:
    width = max([5, *(len(one.agent) for one in found.agents)])
    lines = [f"{found.environment}: a month by forecast, in dollars", ""]
    lines.append(f"{'':{width}}  weight  requests  fine-tuned  others  a request  baseline's  saves")
    for one in found.agents:
        each = "-" if one.candidate_request_dollars is None else f"{one.candidate_request_dollars:.4f}"
        saves = "-" if one.saving_percent is None else f"{one.saving_percent:.0f} %"
        lines.append(
            f"{one.agent:{width}}  {one.weight_percent:4} %  {one.requests:8,}  {one.fine_tuned_dollars:10,.2f}"
            f"  {one.other_dollars:6,.2f}  {each:>9}  {one.baseline_request_dollars:10.4f}  {saves:>5}"
        )
    others = sum(one.other_dollars for one in found.agents)
    lines.append(f"{'all':{width}}  {'':6}  {'':8}  {found.fine_tuned_dollars:10,.2f}  {others:6,.2f}")
    lines += [
        "",
        f"fine-tuned: {_of(found.fine_tuned_dollars, found.budget_dollars)}, the cap is ${found.cap_dollars:g}",
    ]
    steps = ", ".join(f"{step.weight_percent} %: {step.fine_tuned_dollars:,.2f}" for step in found.steps)
    lines.append(f"with every candidate at {steps}")
    lines += ["", *(_actual(found, found.actual) if found.actual else [f"spent so far: not known; {why_not}"]), ""]
    lines.append(_training(found.training))
    if found.agents_without_traffic:
        lines.append(f"not counted, because no traffic is expected of them: {', '.join(found.agents_without_traffic)}")
    return "\n".join(lines)


def _actual(found: EnvironmentCost, actual: Actual) -> Iterator[str]:
    """Say what was spent: beside the budget, at this pace, by whom."""
    yield f"spent this month, to {actual.at:%Y-%m-%d}: {_of(actual.fine_tuned_dollars, found.budget_dollars)}"
    pace = actual.month_at_this_pace_dollars
    above = f", above the cap of ${found.cap_dollars:g}" if pace > found.cap_dollars else ""
    yield f"  at this pace ${pace:,.2f} by the month's end{above}; ${actual.all_dollars:,.2f} with the others' models"
    if actual.requests is not None:
        yield f"  {actual.requests:,} requests of the {found.budget_requests:,} that the budget is made for"
    for agent, (fine_tuned, everything) in actual.agents.items():
        yield f"  {agent}: {fine_tuned:,.2f} fine-tuned, {everything - fine_tuned:,.2f} others"


def _training(training: TrainingCost) -> str:
    behind = f"; past {training.passed_percent[-1]:g} %" if training.passed_percent else ""
    ahead = "" if training.next_percent is None else f"; people are told at {training.next_percent:g} %"
    return f"training: {_of(training.spent_dollars, training.budget_dollars)}{behind}{ahead}"


def _of(dollars: float, budget: float) -> str:
    part = f", {100 * dollars / budget:.0f} %" if budget else ""
    return f"${dollars:,.2f} of ${budget:g}{part}"


def _data(found: EnvironmentCost) -> dict[str, object]:
    # asdict takes no read-only mapping apart.
    plain = dataclasses.replace(found, actual=None)
    actual = found.actual
    return {
        **dataclasses.asdict(plain),
        "actual": actual
        and {
            "day": actual.at.date().isoformat(),
            "fine_tuned_dollars": actual.fine_tuned_dollars,
            "all_dollars": actual.all_dollars,
            "month_at_this_pace_dollars": actual.month_at_this_pace_dollars,
            "requests": actual.requests,
            "agents": {
                agent: {"fine_tuned_dollars": dollars[0], "all_dollars": dollars[1]}
                for agent, dollars in actual.agents.items()
            },
        },
        "fine_tuned_dollars": found.fine_tuned_dollars,
        "under_the_cap": found.is_under_the_cap,
    }
