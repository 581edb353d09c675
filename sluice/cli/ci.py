"""`sluice ci`: the steps that workflows call. They run anywhere, and know no forge but by its API."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from datetime import date
from pathlib import Path

import click

from sluice.cli import options
from sluice.cli.annotation import annotation
from sluice.deploy.continuous import Continuous, complaints
from sluice.deploy.engine import require_passphrase
from sluice.deploy.launch import require_environment
from sluice.deploy.target import target
from sluice.deploy.workload_identity import exec_credential, id_token, kubeconfig
from sluice.errors import AnswerIsNo
from sluice.git import Git
from sluice.gitops.applying import Applying, Stand, State, changed, in_order
from sluice.gitops.branches import others_of
from sluice.gitops.checking import Problem
from sluice.gitops.checking import check as check_project
from sluice.gitops.forge.finding import Kind, forge_of
from sluice.gitops.marks import Marks
from sluice.gitops.owners import OWNERS, TEAMS, owners_text, read_teams
from sluice.gitops.previewing import MARK, Previewing, comment_text
from sluice.local.folders import PROJECT
from sluice.progress import Progress
from sluice.registry import environments, load_registry
from sluice.whole_file import write_whole

_SUMMARY = "GITHUB_STEP_SUMMARY"
"""Where GitHub's runner shows a text beside the run."""


class NoTeams(AnswerIsNo):
    """There is nothing to write CODEOWNERS of."""

    def __init__(self) -> None:
        super().__init__(f"{TEAMS} does not exist; it says which team stands for which role")


@click.group()
def ci() -> None:
    """The steps of CI: check a request, preview it, apply what was merged, look for drift."""


@ci.command()
@click.option("--against", metavar="REF", help="The branch that the request goes into; by default the last commit.")
@options.findings_format
def check(against: str | None, output_format: str) -> int:
    """Check what a request brings, without a cluster: registry, manifests, policy, owners, sign-offs.

    Exit code 1 says that something is wrong; everything that is, is shown.
    """
    problems = check_project(PROJECT, date.today(), against)
    if output_format == "json":
        click.echo(json.dumps([dataclasses.asdict(one) for one in problems], indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(_annotation(problem) if output_format == "github" else str(problem))
    wrong = sum(problem.is_error for problem in problems)
    if output_format != "json":
        click.echo(f"{wrong} to mend" if wrong else "all in order")
    return 1 if wrong else 0


def _annotation(problem: Problem) -> str:
    severity = "error" if problem.is_error else "warning"
    return annotation(severity, problem.file, problem.line, problem.column, "sluice", problem.text)


@ci.command()
@click.option("--against", metavar="REF", required=True, help="The branch that the request goes into.")
@click.option(
    "--request", "number", type=click.IntRange(1), metavar="N", help="Write it as the one comment on this request."
)
@click.option("--pulumi/--no-pulumi", default=True, help="Whether Pulumi is asked, which takes the environment's keys.")
@click.option("--forge", type=click.Choice([str(kind) for kind in Kind]), default="auto", show_default=True)
@options.context
def preview(against: str, number: int | None, pulumi: bool, forge: str, context: str | None) -> int:
    """Say what a request would do in each environment that it changes: in words, and by Pulumi's preview.

    Printed, and with --request written as one comment that later runs write anew. Exit code 1 says that a rule
    forbids it, 3 that Pulumi could not say.
    """
    works = Continuous(target(context), None, Progress())

    def asked(environment: str) -> str:
        require_passphrase(environment)
        return works.preview(environment)

    previews = Previewing(PROJECT, against, date.today(), asked if pulumi else None).run(environments(PROJECT))
    text = comment_text(previews, Git(PROJECT).text("rev-parse", "HEAD"))
    click.echo(text)
    _summarise(text)
    if number is not None:
        others = others_of(Git(PROJECT), None, against)
        found = forge_of(others.address, Kind(forge), os.environ)
        if found is None:
            raise click.UsageError("--request needs a forge: a remote at one, and a token for it")
        click.echo(found.comment(number, MARK, text), err=True)
    if any(one.failed for one in previews):
        return 3
    return 0 if all(one.is_allowed for one in previews) else 1


@ci.command("changed")
@click.option("--remote", metavar="NAME", help="Where the marks are; by default origin, if there is one.")
def changed_ones(remote: str | None) -> None:
    """Print the environments that the last applied commit does not make as they should be, as a list in JSON."""
    git = Git(PROJECT)
    marks = Marks(others_of(git, remote, None))
    head = git.text("rev-parse", "HEAD")
    found = [
        one
        for one in in_order(environments(PROJECT))
        if marks.failed(one) is not None or changed(git, one, marks.applied(one), head)
    ]
    click.echo(json.dumps(found))


@ci.command()
@click.argument("environment", metavar="[ENV]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="What has not changed since it was applied, too.")
@click.option("--images-to", "registry", metavar="REGISTRY", help="As for `sluice up`.")
@click.option(
    "--remote", metavar="NAME", help="Where it is marked what was applied; by default origin, if there is one."
)
@options.context
@options.output_format
def apply(
    environment: tuple[str, ...],
    everything: bool,
    registry: str | None,
    remote: str | None,
    context: str | None,
    output_format: str,
) -> int:
    """Apply the commit that is checked out, to the environments that it changes: dev first, production last.

    Without ENV to all of them. Each is verified: pods serve what git wants, or less where an override holds, agents
    answer, no object differs. After one that fails none is begun. What was applied is marked in git
    (refs/sluice/applied/ENV, refs/sluice/failed/ENV), so that a run which a newer one replaced is made good by that.
    """
    for name in environment:
        require_environment(name)
    git = Git(PROJECT)
    deployer = Continuous(target(context), registry, Progress())
    applying = Applying(
        git, Marks(others_of(git, remote, None)), deployer, everything, lambda said: click.echo(said, err=True)
    )
    stands = applying.run(environment or environments(PROJECT))
    if output_format == "json":
        click.echo(json.dumps([dataclasses.asdict(stand) for stand in stands], indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(map(_stand_line, stands)))
    _summarise("\n".join(f"- {_stand_line(stand)}" for stand in stands) + "\n")
    return max((stand.exit_code for stand in stands), default=0)


def _stand_line(stand: Stand) -> str:
    said = f": {' '.join(stand.said.split())}" if stand.said else ""
    where = f" at {stand.commit[:12]}" if stand.state in (State.APPLIED, State.FAILED) else ""
    return f"{stand.environment}: {stand.state}{where}{said}"


@ci.command()
@click.argument("environment", metavar="[ENV]...", nargs=-1)
@click.option("--repair", is_flag=True, help="Make what drifted as git says.")
@options.context
def drift(environment: tuple[str, ...], repair: bool, context: str | None) -> int:
    """Say where the cluster is not what git says, and with --repair make it so.

    An override that holds a weight down is no drift: it is left as it is. Exit code 1 says that something drifted, and
    stays so.
    """
    for name in environment:
        require_environment(name)
    works = Continuous(target(context), None, Progress())
    left = 0
    for name in in_order(environment or environments(PROJECT)):
        found = tuple(complaints(works.look(name)))
        if found and repair:
            click.echo(f"{name}: {works.up(name)}")
            found = works.verify(name)
        for line in found:
            click.echo(f"{name}: {line}")
        if not found:
            click.echo(f"{name}: as git says")
        left += len(found)
    return 1 if left else 0


@ci.command()
def owners() -> None:
    """Write .github/CODEOWNERS from the sign-off roles and registry/owners.yaml."""
    teams = read_teams(PROJECT)
    if teams is None:
        raise NoTeams
    file = PROJECT / OWNERS
    file.parent.mkdir(exist_ok=True)
    write_whole(file, owners_text(load_registry(PROJECT / "registry"), environments(PROJECT), teams))
    click.echo(f"wrote {OWNERS}")


@ci.command()
@click.option("--audience", default="sluice", show_default=True, help="Whom the token is for.")
def token(audience: str) -> None:
    """Print this run's OIDC token as the plugin of a kubeconfig: what `sluice ci kubeconfig` has called."""
    click.echo(json.dumps(exec_credential(id_token(audience, os.environ))))


@ci.command("kubeconfig")
@click.option("--server", metavar="URL", required=True, help="The address of the API server, https://...")
@click.option(
    "--certificate", metavar="BASE64", default="", help="Its certificate authority, where the system's is not."
)
@click.option(
    "--audience", default="sluice", show_default=True, help="Whom the token is for, as the API server wants it."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
def write_kubeconfig(server: str, certificate: str, audience: str, out: Path) -> None:
    """Write a kubeconfig that has no key: the API server trusts this run's own OIDC token."""
    if not server.startswith("https://"):
        raise click.BadParameter(f"{server} does not begin with https://", param_hint="--server")
    command = shutil.which("sluice") or str(Path(sys.argv[0]).absolute())
    out.write_text(json.dumps(kubeconfig(server, certificate, audience, command), indent=2))
    out.chmod(0o600)
    click.echo(f"wrote {out}: export KUBECONFIG={out}")


def _summarise(text: str) -> None:
    summary = os.environ.get(_SUMMARY)
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
