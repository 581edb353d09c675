"""The request that makes git say what a rollback did: the weight of its agent 0, or the kill switch off for all.

The rollback came first and asks for nothing of this; without it the next update would leave the override in force, and
git would go on wanting what was taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sluice.git import Git
from sluice.gitops.drafting import Wish
from sluice.gitops.stepping import read, require_agents
from sluice.override import ALL, Override
from sluice.rollout.post_mortem import FOLDER
from sluice.rollout.way_back import EVERYBODY, way_back


def post_mortem_of(git: Git, commit: str | None) -> Mapping[str, bytes]:
    """Return the post-mortem that the commit of a rollback begins, by its path in the project. Raises GitRefused."""
    if commit is None:
        return {}
    prefix = git.text("rev-parse", "--show-prefix")
    asked = ("diff-tree", "-r", "--no-commit-id", "--name-only", "-z", commit, "--", f":(top){prefix}{FOLDER}")
    names = filter(None, git.raw(*asked).decode().split("\0"))
    return {name.removeprefix(prefix): content for name in names if (content := git.content(commit, name)) is not None}


@dataclass(frozen=True, slots=True)
class Returning:
    """The way back of one agent, or of all, as a wish."""

    environment: str
    key: str
    entry: Override
    today: date

    def __call__(self, project: Path) -> tuple[Wish, ...]:
        """Say what is to become of a project's rollout. Raises NoSuchEnvironment, NoSuchAgent, InvalidRegistry."""
        registry, rollout = read(project, self.environment)
        who = f"by {self.entry.by} at {self.entry.at}" if self.entry.by else f"at {self.entry.at}"
        verdict = (f"rolled back {who}: {self.entry.reason}", *([self.entry.evidence] if self.entry.evidence else []))
        if self.key == ALL:
            title = "everybody goes back to the baseline"
            return tuple(Wish(agent, EVERYBODY, "off", title, verdict, returns=True) for agent in rollout.agents)
        require_agents(registry, (self.key,))
        stands = rollout.agents[self.key]
        edits = way_back(self.key, stands.weight_percent, self.today, is_dated=stands.since is not None)
        title = f"{stands.candidate or 'the candidate'} of {self.key} goes back to the baseline"
        return (Wish(self.key, edits, f"{stands.candidate} 0 %", title, verdict, returns=True),)
