"""What tests wish for: a step of an agent in the made project, as a draft."""

from __future__ import annotations

from datetime import date

from sluice.gitops.drafting import Drafting, Wish
from sluice.registry.editing import Edit
from sluice.registry.places import Steps
from sluice.rollout.proposal import Force
from tests.gitops.project import Repositories

FILE = "registry/rollouts/made.yaml"

DAY = date(2025, 11, 10)


def wish(agent: str = "qa", weight: int = 25, day: date = DAY) -> Wish:
    edits: dict[Steps, Edit] = {("agents", agent, "weight"): weight, ("agents", agent, "since"): day}
    verdict = (f"advance to {weight} %", "errors: 3 of 7 are on the candidate")
    return Wish(agent, edits, f"{agent}-1 at {weight}", f"{agent} from 10 % to {weight} %", verdict)


def drafting(repositories: Repositories, *wishes: Wish, forced: Force | None = None, day: date = DAY) -> Drafting:
    return Drafting(repositories.mine, "made", lambda _: wishes or (wish(),), day, forced)
