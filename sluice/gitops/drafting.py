"""Makes a change set of what is to become of some agents: the files of an environment edited, checked and rendered.

It is made from the commit that it will stand on, in a folder of its own: what lies in the person's checkout has no
part in it. The registry's rules are asked of the result, and forbid it as they would forbid it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from sluice.errors import AnswerIsNo
from sluice.git import Git
from sluice.gitops.change_set import ChangeSet
from sluice.gitops.checkout import changed_files, checkout, diff_of, shown_from
from sluice.gitops.description import Described, body_of
from sluice.gitops.signing import Unproven, unproven
from sluice.registry import load_environment, load_registry, load_rollout
from sluice.registry.editing import Edit, edit_file
from sluice.registry.findings import Finding, printed
from sluice.registry.places import Steps
from sluice.registry.plan import plan_of
from sluice.registry.plan_text import plan_text
from sluice.registry.policy import is_production
from sluice.render import render, write_manifests
from sluice.rollout.cost import cost_of
from sluice.rollout.proposal import Force

FORCED = "Sluice-Forced"
"""The trailer that says who forced a change, and why."""


class Forbidden(AnswerIsNo):
    """A rule of the registry forbids a change."""

    def __init__(self, environment: str, findings: Sequence[Finding]) -> None:
        super().__init__(f"{environment} stays as it is, because a rule forbids the change:\n{printed(findings)}")


class NotProven(AnswerIsNo):
    """Git does not show that two people stand behind the sign-offs of a model that production's users would get."""

    def __init__(self, environment: str, found: Sequence[Unproven]) -> None:
        said = "\n".join(f"  {one.file}: {one.problem}" for one in found)
        super().__init__(f"{environment} stays as it is, because its sign-offs are not proven:\n{said}")


class NothingToChange(AnswerIsNo):
    """An environment says already what it was to say."""

    def __init__(self, environment: str, base: str) -> None:
        super().__init__(f"{environment}: commit {base[:12]} says all of this already; nothing is to be done")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to become of one agent: how its rollout file is edited, in what words, and what the gates said of it.

    `wanted` says the same whichever day it is: it tells one request from another.
    """

    agent: str
    edits: Mapping[Steps, Edit]
    wanted: str
    title: str
    verdict: tuple[str, ...] = ()
    model: str = ""
    """The model that gets more users by it, which its sign-offs must name; empty where none does."""
    returns: bool = False
    """Whether it records a rollback, and asks no gate."""
    record: str = ""
    """The record of the judgement, by which it can be replayed; empty where nothing was measured."""


Wishes = Callable[[Path], Sequence[Wish]]
"""Says what is to become of agents, of a project's files as a commit has them."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """All that change sets of one environment are made of. `project` is a folder of the repository's checkout."""

    project: Path
    environment: str
    wishes: Wishes
    today: date
    forced: Force | None = None
    further: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """Files that come along, by their path in the project: evidence, a post-mortem."""

    def __call__(self, base: str) -> ChangeSet:
        """Make the change set on top of a commit.

        Raises Forbidden, NotProven, NothingToChange, InvalidRegistry, GitRefused.
        """
        git = Git(self.project)
        prefix = git.text("rev-parse", "--show-prefix")
        with checkout(git, base) as folder:
            project = folder / prefix
            wishes = tuple(self.wishes(project))
            cost_before = self._cost(project)
            self._edit(project, wishes)
            plan = plan_of(project / "registry", self.environment, base, self.today)
            if plan.forbidding:
                raise Forbidden(self.environment, [shown_from(one, folder) for one in plan.forbidding])
            self._require_signatures(git, base, wishes)
            self._render(project)
            files = changed_files(folder)
            if not files:
                raise NothingToChange(self.environment, base)
            described = Described(
                environment=self.environment,
                base=base,
                plan=plan_text(plan, against=f"commit {base[:12]}").replace(f"{folder}/", ""),
                verdicts={wish.agent: wish.verdict for wish in wishes},
                records={wish.agent: wish.record for wish in wishes if wish.record},
                forced=f"{self.forced.by}: {self.forced.reason}" if self.forced else "",
                cost=(cost_before, self._cost(project)),
                diff=diff_of(folder, f"{prefix}manifests"),
                rollout_diff=diff_of(folder, f"{prefix}registry"),
            )
        notes = {FORCED: f"{self.forced.by}: {self.forced.reason}"} if self.forced else {}
        return ChangeSet(
            environment=self.environment,
            wish={wish.agent: wish.wanted for wish in wishes},
            files=files,
            title=f"{self.environment}: {'; '.join(dict.fromkeys(wish.title for wish in wishes))}",
            said=described.said,
            body=body_of(described),
            project=prefix,
            returns=any(wish.returns for wish in wishes),
            notes=notes,
        )

    def _edit(self, project: Path, wishes: Sequence[Wish]) -> None:
        changes = {path: value for wish in wishes for path, value in wish.edits.items()}
        edit_file(project / "registry" / "rollouts" / f"{self.environment}.yaml", changes)
        for path, content in self.further.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_bytes(content)

    def _require_signatures(self, git: Git, base: str, wishes: Sequence[Wish]) -> None:
        if not is_production(self.environment):
            return
        models = {wish.model for wish in wishes if wish.model}
        found = [one for one in unproven(git, base) if models & set(one.models)]
        if found:
            raise NotProven(self.environment, found)

    def _render(self, project: Path) -> None:
        folder = project / "manifests" / self.environment
        if not folder.is_dir():
            return  # a project that keeps no manifests in git
        declared = load_environment(project, self.environment)
        write_manifests(render(declared.registry, declared.rollout, declared.settings), folder)

    def _cost(self, project: Path) -> tuple[float, float]:
        """Return what fine-tuned models cost a month by forecast, and their cap, in dollars."""
        registry = load_registry(project / "registry")
        found = cost_of(registry, load_rollout(project / "registry", self.environment, registry))
        return found.fine_tuned_dollars, found.cap_dollars
