"""What is asked of a request before people read it: registry, manifests, policy, owners, who signed. No cluster.

Each part finds what it can by itself, so that one look shows everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sluice.git import Git, GitRefused
from sluice.gitops.owners import OWNERS, TEAMS, OwnersUnusable, owners_text, read_teams
from sluice.gitops.signing import unproven
from sluice.policy import violations
from sluice.registry import (
    Environment,
    InvalidRegistry,
    Severity,
    environments,
    examine,
    load_environment,
    load_registry,
)
from sluice.registry.findings import Finding
from sluice.render import Rendered, manifests, render

EVIDENCE = "registry/evidence"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something that is wrong at a place of the project, or only to be known."""

    file: str
    line: int
    column: int
    text: str
    is_error: bool = True

    def __str__(self) -> str:
        severity = "" if self.is_error else " (warning)"
        return f"{self.file}:{self.line}:{self.column}: {self.text}{severity}"


def check(project: Path, today: date, against: str | None) -> list[Problem]:
    """Return everything that is wrong with a project's files, sorted by place.

    `against` is the commit that rollouts are compared with and sign-offs are new since. Raises NothingToCompareWith.
    """
    found = {
        _problem(finding, project) for finding in examine(project / "registry", today=today, against=against).findings
    }
    for environment in environments(project):
        try:
            declared = load_environment(project, environment)
        except InvalidRegistry as invalid:
            found |= {_problem(finding, project) for finding in invalid.findings}
            continue
        rendered = render(declared.registry, declared.rollout, declared.settings)
        found |= set(_stale_manifests(project, environment, rendered))
        found |= set(_broken_policy(declared, rendered))
    if not any(problem.is_error and problem.file.startswith("registry/") for problem in found):
        found |= set(_owners(project))
        found |= set(_signatures(project, against))
    return sorted(found)


def _problem(finding: Finding, project: Path) -> Problem:
    path = f"{finding.path}: " if finding.path else ""
    text = f"{path}{finding.problem}; {finding.remedy} [{finding.rule}]"
    file = finding.file.removeprefix(f"{project}/")
    return Problem(file, finding.line, finding.column, text, finding.severity is Severity.ERROR)


def _stale_manifests(project: Path, environment: str, rendered: Rendered) -> Iterator[Problem]:
    folder = project / "manifests" / environment
    wanted = {name: text.encode() for name, text in manifests(rendered).items()}
    found = {file.name: _content(file) for file in folder.iterdir()} if folder.is_dir() else {}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) == found.get(name):
            continue
        what = (
            "is not there"
            if name not in found
            else "is of no object"
            if name not in wanted
            else "is not what is rendered"
        )
        yield Problem(
            f"manifests/{environment}/{name}", 1, 1, f"{what}; run `sluice render {environment}` and commit it"
        )


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""  # a folder there is of no object


def _broken_policy(declared: Environment, rendered: Rendered) -> Iterator[Problem]:
    environment = declared.settings.environment
    for violation in violations([item.body for item in rendered.objects()]):
        yield Problem(f"Pulumi.{environment}.yaml", 1, 1, f"what is rendered of it breaks the policy: {violation}")


def _owners(project: Path) -> Iterator[Problem]:
    try:
        teams = read_teams(project)
    except OwnersUnusable as error:
        yield Problem(TEAMS, 1, 1, str(error).removeprefix(f"{TEAMS}: "))
        return
    if teams is None:
        return
    wanted = owners_text(load_registry(project / "registry"), environments(project), teams)
    file = project / OWNERS
    if not file.is_file() or file.read_bytes() != wanted.encode():
        yield Problem(OWNERS, 1, 1, "is not what the sign-off roles say; run `sluice ci owners` and commit it")


def _signatures(project: Path, against: str | None) -> Iterator[Problem]:
    """Look at the sign-offs that everybody has: what a request brings, nobody has let in yet."""
    git = Git(project)
    try:
        git.text("rev-parse", "--git-dir")
    except GitRefused as refused:
        yield Problem(EVIDENCE, 1, 1, f"who signed was not looked at: {refused}", is_error=False)
        return
    commit = git.commit_of(against or "HEAD")
    for one in unproven(git, commit) if commit else ():
        yield Problem(one.file, 1, 1, one.problem)
