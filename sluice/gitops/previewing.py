"""The comment that says what a request would do: one for all environments it changes, written anew each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sluice.errors import SluiceError
from sluice.git import Git, GitRefused
from sluice.gitops.applying import changed, in_order
from sluice.gitops.description import fenced
from sluice.registry.history import NothingToCompareWith
from sluice.registry.plan import NoSuchEnvironment, plan_of
from sluice.registry.plan_text import plan_text

MARK = "sluice preview"
"""By what the comment is known again."""


class NoFork(SluiceError):
    """What is checked out and the branch that it goes into have no commit in common."""

    def __init__(self, against: str) -> None:
        super().__init__(
            f'git knows no commit here that both HEAD and "{against}" come from; fetch more of the history: '
            "the checks of a pull request often have the last commit alone (for actions/checkout: fetch-depth: 0)"
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What becomes of one environment: the plan in words, and what Pulumi would do, or why it was not asked."""

    environment: str
    plan: str
    is_allowed: bool
    pulumi: str
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Previewing:
    """Previews what is checked out against the commit that it forked off. `pulumi` is None where nobody asks Pulumi."""

    project: Path
    against: str
    today: date
    pulumi: Callable[[str], str] | None

    def run(self, environments: Sequence[str]) -> tuple[Preview, ...]:
        """Preview the environments that are changed. Raises NothingToCompareWith, NoFork, GitRefused."""
        git = Git(self.project)
        fork = _fork(git, self.against)
        return tuple(self._one(one, fork) for one in in_order(environments) if changed(git, one, fork, "HEAD"))

    def _one(self, environment: str, fork: str) -> Preview:
        try:
            plan = plan_of(self.project / "registry", environment, fork, self.today)
            said = plan_text(plan, against=f"commit {fork[:12]}")
        except NoSuchEnvironment:
            return Preview(environment, "has no rollout: it is taken away, or not whole yet", True, "")
        if self.pulumi is None:
            return Preview(environment, said, plan.is_allowed, "")
        try:
            return Preview(environment, said, plan.is_allowed, self.pulumi(environment))
        except SluiceError as error:
            return Preview(environment, said, plan.is_allowed, "", str(error))


def comment_text(previews: Sequence[Preview], commit: str) -> str:
    """Write the comment."""
    if not previews:
        return f"### No environment changes\n\nAs of commit `{commit[:12]}`.\n"
    parts = []
    for one in previews:
        forbidden = "" if one.is_allowed else " (a rule forbids it)"
        parts += [f"### {one.environment}{forbidden}", fenced(one.plan, "text")]
        if one.pulumi:
            parts += ["Pulumi would:", fenced(one.pulumi, "text")]
        elif one.failed:
            parts += ["Pulumi could not say what it would do:", fenced(one.failed, "text")]
        else:
            parts += ["Pulumi was not asked: this run has no access to the environment."]
    return "\n\n".join([*parts, f"As of commit `{commit[:12]}`."]) + "\n"


def _fork(git: Git, against: str) -> str:
    commit = git.commit_of(against)
    if commit is None:
        git.text("rev-parse", "--git-dir")  # says what is wrong with all of git, if anything is
        raise NothingToCompareWith(git.folder, against)
    try:
        return git.text("merge-base", commit, "HEAD")
    except GitRefused:  # it says nothing where it finds no commit
        raise NoFork(against) from None
