"""`sluice rollback`: an agent, or all, to the baseline."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from sluice.cli import options
from sluice.cli.reply_table import printable
from sluice.deploy.emergency import Emergency, emergency, whoever_types
from sluice.deploy.target import target
from sluice.errors import SluiceError
from sluice.local.folders import PROJECT
from sluice.override import Override
from sluice.registry.policy import OverrideEnds, RollbackPolicy
from sluice.rollout.effect import AgentAfter, Proof, Reached
from sluice.rollout.override_map import Change
from sluice.rollout.rollback import Listener, Request, Rollback, patch_command, roll_back

_NOT_PROVEN = 1
_NOT_REACHED = 3
_LONGEST_TEXT = 500


@click.command()
@click.argument("environment", metavar="ENV")
@click.argument("agent", metavar="[AGENT]", required=False)
@click.option("--reason", required=True, help="Why, for whoever looks next.")
@click.option("--by", metavar="NAME", help="Who; by default the name that git knows you by.")
@click.option("--evidence", default="", help="What it was seen by: a link, a number.")
@click.option(
    "--prove-for",
    "prove_seconds",
    metavar="SECONDS",
    type=click.FloatRange(0, 600),
    default=10.0,
    show_default=True,
    help="How long the baseline must be seen to answer alone; 0 leaves the proof out.",
)
@click.option("--request", "with_request", is_flag=True, help="Open the request that makes git say the same, too.")
@click.option("--print-patch", is_flag=True, help="Only print the kubectl line that does the same, and do nothing.")
@options.context
@options.output_format
def rollback(
    environment: str,
    agent: str | None,
    reason: str,
    by: str | None,
    evidence: str,
    prove_seconds: float,
    with_request: bool,
    print_patch: bool,
    context: str | None,
    output_format: str,
) -> int:
    """Send an agent, or all, to the baseline, now.

    Sets the override, waits until every gateway pod says that it serves the baseline alone, shows that it does, and
    leaves the commit that records it on a branch. Needs the API server and nothing else: no Pulumi, no Prometheus.
    Exit code 1 says that it is set and something is still wrong; 3 that not every pod could be heard.
    """
    for name, text in (("--reason", reason), ("--evidence", evidence), ("--by", by or "")):
        _require_short(name, text)
    found = emergency(environment)
    policy = found.declared.registry.rollback if found.declared else RollbackPolicy()
    request = Request(
        environment,
        found.namespace,
        agent,
        by or whoever_types(),
        reason,
        evidence,
        prove_seconds,
        policy.post_mortem_within,
        another_ends_it=_another_ends_it(found, agent),
    )
    if print_patch:
        click.echo(patch_command(request))
        return 0
    _say_what_is_missing(found)
    says = Listener() if output_format == "json" else Listener(_say_change, _say_pod, lambda: _say_proving(request))
    agents = found.declared.registry.agents if found.declared else ()
    done = roll_back(target(context).connect(), request, PROJECT / "registry", agents, listener=says)
    if output_format == "json":
        click.echo(json.dumps(_data(request, done), indent=2, ensure_ascii=False))
    else:
        click.echo(_text(request, done))
    if with_request:
        _request(environment, agent, done)
    if not done.reached_every_pod:
        return _NOT_REACHED
    return 0 if done.proof is None or done.proof.holds else _NOT_PROVEN


def _request(environment: str, agent: str | None, done: Rollback) -> None:
    """Open the request. What stands against it is said, and takes nothing back."""
    from sluice.cli import requesting  # a rollback by itself needs none of these
    from sluice.git import Git
    from sluice.gitops.drafting import Drafting
    from sluice.gitops.returning import Returning, post_mortem_of
    from sluice.override import ALL

    today = datetime.now(UTC).date()
    returning = Returning(environment, agent or ALL, done.change.entry or Override(0), today)
    try:
        further = post_mortem_of(Git(PROJECT), done.record.commit)
        proposal = requesting.proposed(Drafting(PROJECT, environment, returning, today, further=further))
    except (SluiceError, OSError) as error:
        click.echo(f"no request: {error}", err=True)
        return
    where = proposal.request.url if proposal.request else f"branch {proposal.published.branch}"
    click.echo(f"request: {where}, commit {proposal.published.commit[:12]}", err=True)


def _require_short(name: str, text: str) -> None:
    if len(text) > _LONGEST_TEXT or (name == "--reason" and not text.strip()):
        raise click.BadParameter(f"write 1 to {_LONGEST_TEXT} characters", param_hint=name)


def _another_ends_it(found: Emergency, agent: str | None) -> bool:
    declared = found.declared.registry.agents.get(agent) if found.declared and agent else None
    return declared is not None and declared.policy.override_ends is OverrideEnds.NEW_CANDIDATE


def _say_what_is_missing(found: Emergency) -> None:
    if found.declared is None:
        click.echo(f"going on without the registry, which is not in order: {found.why}", err=True)


def said_by(entry: Override) -> str:
    """Write who set an override, when and why, as far as it says."""
    parts = [f"by {entry.by}" if entry.by else "by somebody unnamed", f"at {entry.at}" if entry.at else ""]
    because = entry.unreadable_because or entry.reason
    alone = f", for {entry.candidate} alone" if entry.candidate else ""
    return printable(" ".join(part for part in parts if part) + alone + (f": {because}" if because else ""))


def _say_change(change: Change, seconds: float) -> None:
    entry = change.entry
    assert entry is not None  # noqa: S101 - a rollback leaves one
    if change.made:
        click.echo(f"{change.key}: at most {entry.weight_percent} %, set after {seconds:.2f} s")
        if change.before is not None:
            click.echo(f"  before: at most {change.before.weight_percent} %, {said_by(change.before)}")
    else:
        click.echo(f"{change.key}: at most {entry.weight_percent} % already, {said_by(entry)}")


def _say_pod(pod: Reached) -> None:
    click.echo(f"  {pod.pod}  baseline alone after {pod.seconds:.2f} s")


def _say_proving(request: Request) -> None:
    click.echo(f"looking for {request.prove_seconds:g} s at who answers ...", err=True)


def _text(request: Request, done: Rollback) -> str:
    held = done.change.entry.candidate if done.change.entry else ""
    lines = [f"  {pod.pod}  DOES NOT SAY SO YET" for pod in done.pods if pod.seconds is None]
    if lines and held:
        lines.append(f"  a pod that goes by older flags may have another candidate than {held}: what `--print-patch`")
        lines.append("  prints holds every one")
    if not done.pods:
        lines.append("  no gateway pod could be asked; the override stays, and pods obey it as they hear of it")
    if done.proof is not None:
        lines += _proof_lines(done.proof)
    lines.append(_record_line(done))
    key = f" {request.agent}" if request.agent else ""
    another = f", or once the rollout names another candidate than {held}" if held else ""
    lines.append(f"it ends by `sluice resume {request.environment}{key} --reason ...`{another}")
    return "\n".join(lines)


def _proof_lines(proof: Proof) -> list[str]:
    where = f"{proof.seconds:.0f} s on {proof.pods} {'pod' if proof.pods == 1 else 'pods'}"
    if not proof.agents:
        return [f"in {where} nobody asked: nothing to see, by the weights it holds"]
    verdict = "proven" if proof.holds else "NOT IN ORDER"
    return [f"{verdict}, over {where}:", *(f"  {_agent_line(agent)}" for agent in proof.agents)]


def _agent_line(agent: AgentAfter) -> str:
    parts = [f"{agent.agent}: {agent.baseline_requests} by the baseline, {agent.candidate_requests} by the candidate"]
    if agent.error_share is not None:
        allowed = "" if agent.error_share_allowed is None else f" (allowed {100 * agent.error_share_allowed:g} %)"
        parts.append(f"errors {100 * agent.error_share:.1f} %{allowed}")
    if agent.p95_seconds is not None:
        allowed = "" if agent.p95_seconds_allowed is None else f" (allowed {agent.p95_seconds_allowed:g} s)"
        parts.append(f"P95 below {agent.p95_seconds:g} s{allowed}")
    if agent.quality is not None:
        parts.append(f"quality {agent.quality:.1f}")
    return ", ".join(parts)


def _record_line(done: Rollback) -> str:
    record = done.record
    if record.commit is None:
        return f"no commit: {record.why_not}"
    verb = "is left on" if record.made else "was there before, on"
    line = f"commit {record.commit[:12]} {verb} branch {record.branch}: open a pull request of it"
    return f"{line}\nit begins the post-mortem: {record.post_mortem}" if record.post_mortem else line


def _data(request: Request, done: Rollback) -> dict[str, Any]:
    entry = done.change.entry or Override(0)
    proof = done.proof
    return {
        "environment": request.environment,
        "agent": request.agent,
        "set": done.change.made,
        "set_after_seconds": round(done.set_after_seconds, 3),
        "override": json.loads(entry.text),
        "before": None if done.change.before is None else json.loads(done.change.before.text),
        "pods": [
            {"pod": pod.pod, "seconds": None if pod.seconds is None else round(pod.seconds, 3)} for pod in done.pods
        ],
        "proof": None
        if proof is None
        else {
            "holds": proof.holds,
            "seconds": round(proof.seconds, 1),
            "pods": proof.pods,
            "agents": [
                {
                    "agent": one.agent,
                    "candidate_requests": one.candidate_requests,
                    "baseline_requests": one.baseline_requests,
                    "error_share": one.error_share,
                    "p95_seconds": one.p95_seconds,
                    "quality": one.quality,
                }
                for one in proof.agents
            ],
        },
        "commit": {
            "branch": done.record.branch,
            "commit": done.record.commit,
            "made": done.record.made,
            "why_not": done.record.why_not or None,
            "post_mortem": done.record.post_mortem,
        },
    }
