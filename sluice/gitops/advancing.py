"""One request for each agent, or one for all: what became of each, so that one that fails does not hold up another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sluice.errors import SluiceError
from sluice.gitops.branches import EditedByHand, Others
from sluice.gitops.drafting import Forbidden, NothingToChange, NotProven
from sluice.gitops.forge.forge import Forge
from sluice.gitops.proposing import Draft, NotMerged, Proposal, merge, propose, withdraw
from sluice.gitops.stepping import GatesSayNo
from sluice.rollout.guard.loop import CannotSee
from sluice.rollout.verdicts import NothingToMeasureWith


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some agents: a proposal, or `error`, why there is none; and the requests that were withdrawn."""

    agents: tuple[str, ...]
    proposal: Proposal | None = None
    error: SluiceError | None = None
    withdrawn: tuple[str, ...] = ()
    left_alone: tuple[EditedByHand, ...] = ()


@dataclass(frozen=True, slots=True)
class Requesting:
    """Where requests go. With `merges` they are merged at once, where nobody is asked."""

    others: Others
    forge: Forge | None
    environment: str
    merges: bool = False

    def each(
        self, groups: Sequence[tuple[str, ...]], draft_of: Callable[[tuple[str, ...]], Draft]
    ) -> Iterator[Outcome]:
        """Make a request for each group of agents, or take back the one that its gates no longer let pass.

        Each is yielded as soon as it is done, because what follows may fail: what is wrong with one of them is in its
        outcome, and what is wrong with all, git or the forge, is raised.
        """
        for agents in groups:
            yield self._one(agents, draft_of(agents))

    def _one(self, agents: tuple[str, ...], draft: Draft) -> Outcome:
        try:
            done = merge(self.others, self.forge, draft) if self.merges else propose(self.others, self.forge, draft)
        except GatesSayNo as no:
            return self._withdrawn(agents, no, [one.agent for one in no.refused])
        except (Forbidden, NotProven) as no:
            return self._withdrawn(agents, no, agents)
        except (CannotSee, NothingToMeasureWith, NothingToChange, EditedByHand, NotMerged) as error:
            return Outcome(agents, error=error)
        return Outcome(agents, done)

    def _withdrawn(self, agents: tuple[str, ...], no: SluiceError, of: Sequence[str]) -> Outcome:
        withdrawn: tuple[str, ...] = ()
        left_alone: tuple[EditedByHand, ...] = ()
        for agent in of:
            closed, left = withdraw(self.others, self.forge, self.environment, agent, str(no))
            withdrawn, left_alone = (*withdrawn, *closed), (*left_alone, *left)
        return Outcome(agents, error=no, withdrawn=withdrawn, left_alone=left_alone)
