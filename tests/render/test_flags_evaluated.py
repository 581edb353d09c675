"""The rendered flags, evaluated by the library that evaluates them in the gateway."""

from __future__ import annotations

import itertools

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from sluice.registry import LADDER, AgentRollout, Rollout
from sluice.render.flags import DATA_KEY, flags

USERS = [f"user-{number}" for number in range(2000)]


def on_the_candidate(weight: int, *, agent: str = "qa", candidate: str = "qa-1", enabled: bool = True) -> set[str]:
    rollout = Rollout("dev", enabled, {agent: AgentRollout(agent, candidate, weight, None, ("gpt-4o",))})
    core = FlagdCore()
    core.set_flags(flags(rollout, "sluice-dev")[0].body["data"][DATA_KEY])
    answers = {user: core.resolve_object_value(agent, {}, EvaluationContext(user)) for user in USERS}
    assert {answer.variant for answer in answers.values()} <= {"candidate", "baseline"}
    for answer in answers.values():
        assert answer.value == {"models": [candidate, "gpt-4o"] if answer.variant == "candidate" else ["gpt-4o"]}
    return {user for user, answer in answers.items() if answer.variant == "candidate"}


def test_whoever_is_on_the_candidate_stays_there_at_every_later_step() -> None:
    steps = [on_the_candidate(weight) for weight in LADDER]

    for earlier, later in itertools.pairwise(steps):
        assert earlier < later


def test_0_is_nobody_and_100_is_everybody() -> None:
    assert on_the_candidate(0) == set()
    assert on_the_candidate(100) == set(USERS)


def test_the_kill_switch_leaves_nobody_on_the_candidate() -> None:
    assert on_the_candidate(100, enabled=False) == set()


def test_another_agent_and_another_candidate_draw_their_users_anew() -> None:
    # Of 2,000 users at 50 %, two independent draws agree on about 500; one draw used twice would agree on all 1,000.
    first = on_the_candidate(50)

    for other in (on_the_candidate(50, agent="legal"), on_the_candidate(50, candidate="qa-2")):
        assert 400 < len(first & other) < 600
