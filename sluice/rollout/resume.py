"""Lifting an override by hand, and what users get from then on.

What the cluster's flags want is served at once. After a rollback that is dangerous in one way: the flags may still want
the weight that went wrong, or git may, and a candidate comes back at the first step of its ladder, not where it fell.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.errors import AnswerIsNo, SluiceError
from sluice.override import ALL, UNKNOWN, Override, Overrides, moment
from sluice.registry import Environment
from sluice.rollout.cluster import Cluster
from sluice.rollout.effect import Clock
from sluice.rollout.override_map import Change, lift, read_override_map
from sluice.rollout.rollback import UnknownAgent
from sluice.rollout.wanted import Wanted, read_wanted

MANAGER = "sluice-resume"
_FIRST_STEP_PERCENT = 10
"""Where the registry says nothing else."""


@dataclass(frozen=True, slots=True)
class Afterwards:
    """One agent without the override: served at once, wanted by git's files, and what still holds it."""

    agent: str
    now_percent: int
    """Of its users on the candidate as soon as the override is lifted."""
    was_percent: int
    """Before that."""
    declared_percent: int | None
    """What the rollout file here says, and so the next update brings; None where it cannot be read."""
    first_step_percent: int
    held_by: str = ""
    """Who else holds it: the entry that is left."""

    @property
    def danger(self) -> str:
        """Why this is not in order; empty where it is."""
        if self.now_percent > self.first_step_percent and self.now_percent > self.was_percent:
            return (
                f"{self.agent}: {self.now_percent} % of its users would be on the candidate at once; after a rollback "
                f"it comes back at {self.first_step_percent} %. Merge the rollback's commit and apply it first"
            )
        if (self.declared_percent or 0) > max(self.first_step_percent, self.now_percent) and not self.held_by:
            return (
                f"{self.agent}: git's rollout file wants {self.declared_percent} %, which the next update would bring; "
                f"after a rollback it comes back at {self.first_step_percent} %. Merge the rollback's commit first"
            )
        return ""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of it, agent by agent; the change was not made where there was nothing to lift."""

    change: Change
    agents: tuple[Afterwards, ...]
    ended: tuple[str, ...] = ()
    """What of it held nobody any more, for another candidate came: each as a sentence's end."""


class NotInOrder(AnswerIsNo):
    """Lifting the override would bring a candidate back as it fell."""

    def __init__(self, dangers: list[str]) -> None:
        lines = [f"  {danger}" for danger in dangers]
        super().__init__("\n".join(["not lifted, because:", *lines, "`--force` lifts it all the same"]))


class FlagsUnreadable(AnswerIsNo):
    """What would be served cannot be told."""

    def __init__(self, why: SluiceError) -> None:
        super().__init__(
            f"not lifted, because what would be served after it cannot be told ({why}); `--force` lifts it all the same"
        )


def resume(
    cluster: Cluster,
    namespace: str,
    agent: str | None,
    declared: Environment | None,
    *,
    by: str,
    reason: str,
    force: bool = False,
    clock: Clock = Clock(),
) -> Resumed:
    """Lift the override of an agent, or the one of all, and say what is served from then on.

    `declared` is what the files here say, None where they cannot be read. Raises `NotInOrder`, `FlagsUnreadable`,
    `UnknownAgent`, and what lifting raises: `force` lifts no other entry than the one that was looked at either.
    """
    key = ALL if agent is None else agent
    now = read_override_map(cluster, namespace)
    entries = now.overrides.entries
    try:
        wanted = read_wanted(cluster, namespace)
    except SluiceError as error:
        if key in entries and not force:
            raise FlagsUnreadable(error) from None
        wanted = {}
    known = list(dict.fromkeys([*wanted, *(declared.registry.agents if declared else ())]))
    if agent is not None and agent not in known and agent not in entries and known:
        raise UnknownAgent(agent, known)
    if key not in entries:
        return Resumed(Change(key, None, None, made=False), ())
    left = Overrides({name: entry for name, entry in entries.items() if name != key})
    concerned = [flag for name, flag in wanted.items() if agent is None or name == agent]
    after = tuple(_afterwards(flag, now.overrides, left, declared) for flag in concerned)
    named = wanted[key].candidate if key in wanted else UNKNOWN
    ended = tuple(one.why_ended(named) for one in now.overrides.ended(key, named))
    dangers = [one.danger for one in after if one.danger]
    if dangers and not force:
        raise NotInOrder(dangers)
    noted = f"{reason} (forced)" if dangers else reason
    change = lift(
        cluster, namespace, key, entries[key], by=by, reason=noted, at=moment(), manager=MANAGER, pause=clock.sleep
    )
    return Resumed(change, after, ended)


def _afterwards(flag: Wanted, before: Overrides, left: Overrides, declared: Environment | None) -> Afterwards:
    agent, wanted_percent = flag.agent, flag.weight_percent
    lowest = min(left.holding(agent, flag.candidate), key=lambda one: one[1].weight_percent, default=None)
    steps = declared.registry.ladder_of(agent).weights_percent if declared else ()
    known = declared is not None and agent in declared.rollout.agents
    return Afterwards(
        agent=agent,
        now_percent=min(wanted_percent, left.allowed_percent(agent, flag.candidate)),
        was_percent=min(wanted_percent, before.allowed_percent(agent, flag.candidate)),
        declared_percent=declared.rollout.wanted_weight_percent(agent) if declared and known else None,
        first_step_percent=steps[0] if steps else _FIRST_STEP_PERCENT,
        held_by=_holder(*lowest) if lowest else "",
    )


def _holder(key: str, entry: Override) -> str:
    return f"the override of {'all' if key == ALL else key}{f' by {entry.by}' if entry.by else ''}"
