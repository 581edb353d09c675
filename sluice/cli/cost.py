"""`sluice cost`: what an environment costs a month, by forecast, against its budgets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from sluice.cli import options
from sluice.local.folders import PROJECT
from sluice.registry import load_registry, load_rollout, rollout_names
from sluice.registry.plan import NoSuchEnvironment
from sluice.rollout.cost import EnvironmentCost, cost_of


@click.command()
@click.argument("environment", metavar="ENV")
@click.option("--registry", "folder", type=click.Path(path_type=Path), help="The folder; by default the project's.")
@options.output_format
def cost(environment: str, folder: Path | None, output_format: str) -> int:
    """Show what an environment costs a month, at its weights and at every step.

    ENV has a file in rollouts/. A forecast, from the traffic that is expected, its tokens and the prices of models. The
    cap counts fine-tuned models alone; exit code 1 says that the forecast is above it. What was spent so far is in the
    metric `sluice_spend_dollars`.
    """
    folder = folder or PROJECT / "registry"
    if folder.is_dir() and environment not in rollout_names(folder):
        raise NoSuchEnvironment(folder, environment)
    registry = load_registry(folder)
    found = cost_of(registry, load_rollout(folder, environment, registry))
    click.echo(json.dumps(_data(found), indent=2) if output_format == "json" else _text(found))
    return 0 if found.is_under_the_cap else 1


def _text(found: EnvironmentCost) -> str:
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
    if found.actual:
        pace = found.actual.month_at_this_pace_dollars
        lines.append(
            f"spent so far: {found.actual.fine_tuned_dollars:,.2f}, at this pace {pace:,.2f} by the month's end"
        )
    training = found.training
    ahead = "" if training.next_percent is None else f"; people are told at {training.next_percent:g} %"
    lines.append(f"training: {_of(training.spent_dollars, training.budget_dollars)}{ahead}")
    if found.agents_without_traffic:
        lines.append(f"not counted, because no traffic is expected of them: {', '.join(found.agents_without_traffic)}")
    return "\n".join(lines)


def _of(dollars: float, budget: float) -> str:
    part = f", {100 * dollars / budget:.0f} %" if budget else ""
    return f"${dollars:,.2f} of ${budget:g}{part}"


def _data(found: EnvironmentCost) -> dict[str, object]:
    return {
        **dataclasses.asdict(found),
        "fine_tuned_dollars": found.fine_tuned_dollars,
        "under_the_cap": found.is_under_the_cap,
    }
