"""What an environment was at some moment, by git: the commit that held then, what it said, what is rendered of it.

The moment is when everybody's branch had a commit; that it was applied a while later is not known to git.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sluice.errors import SluiceError
from sluice.git import Git
from sluice.gitops.checkout import checkout
from sluice.override import ALL, UNKNOWN, Override, Overrides, read_moment
from sluice.override import read_override as read_entry
from sluice.registry import Environment, Rollout, load_environment
from sluice.render import manifests, render, write_manifests
from sluice.rollout.override_map import OverrideMap

Bucket = Callable[[str, str, str], int | None]
"""Draws a user of an agent's candidate into one of a hundred buckets, as the gateway does."""


class NothingThen(SluiceError):
    """Git has no commit from before a moment."""

    exit_code = 2

    def __init__(self, reference: str, at: datetime) -> None:
        super().__init__(f"{reference} has no commit from {at:%Y-%m-%d %H:%M} UTC or before; name a later --at")


@dataclass(frozen=True, slots=True)
class Served:
    """What callers of one agent got: the weight that git wanted, the one that was allowed, the models of both arms.

    `arm` is that of the user who was asked about, None where nobody was.
    """

    agent: str
    wanted_percent: int
    allowed_percent: int
    candidate: str | None
    baseline: tuple[str, ...]
    arm: str | None = None

    @property
    def served_percent(self) -> int:
        """The share of users on the candidate."""
        return min(self.wanted_percent, self.allowed_percent)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was written: how many manifests, and which of them the commit has otherwise, None where it keeps none."""

    files: int
    otherwise: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """An environment as a commit has it, in a folder that is there as long as the block of `moment` runs."""

    commit: str
    since: datetime
    project: Path
    declared: Environment

    def served(self, overrides: Overrides, user: str | None, bucket: Bucket) -> tuple[Served, ...]:
        """Say what callers got, under overrides; for a user, in which arm."""
        rollout = self.declared.rollout
        found = (
            Served(
                agent,
                rollout.wanted_weight_percent(agent),
                overrides.allowed_percent(agent, stands.candidate),
                stands.candidate,
                stands.baseline,
            )
            for agent, stands in rollout.agents.items()
        )
        if user is None:
            return tuple(found)
        return tuple(dataclasses.replace(one, arm=_arm(one, user, bucket)) for one in found)

    def render_into(self, folder: Path) -> Rendered:
        """Write what is rendered of the commit, and hold it against what the commit itself has."""
        declared = self.declared
        rendered = render(declared.registry, declared.rollout, declared.settings)
        write_manifests(rendered, folder)
        now = manifests(rendered)
        kept = self.project / "manifests" / declared.settings.environment
        if not kept.is_dir():
            return Rendered(len(now), None)
        then = {file.name: file.read_text() for file in kept.iterdir()}
        return Rendered(len(now), tuple(sorted(name for name in now | then if now.get(name) != then.get(name))))


@contextmanager
def moment(git: Git, environment: str, reference: str, at: datetime) -> Iterator[Moment]:
    """Have an environment as it was at a moment. Raises NothingThen, GitRefused, InvalidRegistry."""
    asked = ("rev-list", "-1", "--first-parent", f"--before={at.astimezone(UTC).isoformat()}", "--end-of-options")
    commit = git.text(*asked, reference)
    if not commit:
        raise NothingThen(reference, at)
    since = datetime.fromisoformat(git.text("log", "-1", "--format=%cI", commit)).astimezone(UTC)
    with checkout(git, commit) as folder:
        project = folder / git.text("rev-parse", "--show-prefix")
        yield Moment(commit, since, project, load_environment(project, environment))


def overrides_at(found: OverrideMap | None, at: datetime) -> Overrides:
    """Return the overrides that held at a moment: of those that hold now, and of those known to have been lifted."""
    held: dict[str, Override] = {}
    if found is None:
        return Overrides(held)
    for one in found.lifted:
        entry, lifted = read_entry(one.was), read_moment(one.at)
        if lifted is not None and at < lifted:
            held |= _begun(one.key, entry, at, is_dated=True)
    for key, entry in found.overrides.entries.items():
        held |= _begun(key, entry, at, is_dated=False)
    return Overrides(held)


def _begun(key: str, entry: Override, at: datetime, *, is_dated: bool) -> dict[str, Override]:
    """Return what an entry said by a moment, by its key. Where `is_dated` what has no date is left out."""
    began = [(one, read_moment(one.at)) for one in entry.each]
    then = [one for one, when in began if (not is_dated if when is None else when <= at)]
    return {key: dataclasses.replace(then[0], earlier=tuple(then[1:]))} if then else {}


def _arm(one: Served, user: str, bucket: Bucket) -> str:
    drawn = bucket(one.agent, one.candidate, user) if one.candidate else None
    return "candidate" if drawn is not None and drawn < one.served_percent else "baseline"


def holding(overrides: Overrides, rollout: Rollout) -> Iterator[str]:
    """Write the overrides that hold, by the candidates of a rollout, a line each."""
    for key, entry in overrides.entries.items():
        named = _candidate(rollout, key)
        yield from (_said(key, one) for one in entry.each if one.holds(named))


def ended(overrides: Overrides, rollout: Rollout) -> Iterator[str]:
    """Write the overrides that hold nobody any more, for another candidate is rolled out, a line each."""
    for key in overrides.entries:
        named = _candidate(rollout, key)
        yield from (f"{_said(key, one)} {one.why_ended(named)}" for one in overrides.ended(key, named))


def _candidate(rollout: Rollout, key: str) -> str | None:
    return rollout.agents[key].candidate if key in rollout.agents else UNKNOWN


def _said(key: str, entry: Override) -> str:
    whose = "every agent" if key == ALL else key
    said = ", ".join(part for part in (entry.by, entry.at, entry.reason) if part)
    return f"{whose}: at most {entry.weight_percent} %{f' ({said})' if said else ''}"
