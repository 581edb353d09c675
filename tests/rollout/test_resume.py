"""An override lifted: what comes back, and when that is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.override import Override
from sluice.registry import Environment, load_environment
from sluice.rollout.effect import Clock
from sluice.rollout.override_map import ChangedMeanwhile
from sluice.rollout.resume import FlagsUnreadable, NotInOrder, Resumed, resume
from sluice.rollout.rollback import UnknownAgent
from tests.rollout.made_cluster import NAMESPACE, MadeAnswer, MadeClock, MadeCluster, said

PROJECT = Path(__file__).parent.parent.parent
HELD = '{"weight": 0, "by": "guard", "reason": "errors"}'


@pytest.fixture(scope="module")
def declared() -> Environment:
    return load_environment(PROJECT, "dev")


def wanting(declared: Environment, weight: int) -> Environment:
    agents = {name: replace(agent, weight_percent=weight) for name, agent in declared.rollout.agents.items()}
    return replace(declared, rollout=replace(declared.rollout, agents=agents))


def resumed(
    cluster: MadeCluster, declared: Environment | None, agent: str | None = "qa", *, force: bool = False
) -> Resumed:
    clock = MadeClock()
    return resume(
        cluster,
        NAMESPACE,
        agent,
        declared,
        by="ada",
        reason="a new fine-tune",
        force=force,
        clock=Clock(clock.now, clock.sleep),
    )


def test_at_the_first_step_it_is_lifted_and_what_is_served_then_is_said(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 10, "legal": 50}, override={"qa": HELD, "legal": HELD})

    done = resumed(cluster, wanting(declared, 10))

    assert [(one.agent, one.now_percent) for one in done.agents] == [("qa", 10)]
    assert set(cluster.overrides.entries) == {"legal"}
    assert json.loads(cluster.annotations["sluice/lifted"])[0]["reason"] == "a new fine-tune"


def test_a_candidate_that_would_come_back_where_it_fell_is_refused_by_name(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": HELD})

    with pytest.raises(NotInOrder, match=r"qa: 50 % of its users would be on the candidate at once.*10 %") as refusal:
        resumed(cluster, wanting(declared, 0))
    assert refusal.value.exit_code == 1
    assert cluster.writes == 0


def test_a_rollout_file_that_still_wants_the_old_weight_is_refused(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 0}, override={"qa": HELD})

    with pytest.raises(NotInOrder, match=r"git's rollout file wants 50 %"):
        resumed(cluster, wanting(declared, 50))


def test_a_raise_that_was_merged_and_applied_while_it_held_is_not_resumed(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": HELD})

    with pytest.raises(NotInOrder, match=r"qa: 50 % of its users would be on the candidate at once.*10 %"):
        resumed(cluster, wanting(declared, 50))
    assert cluster.overrides.allowed_percent("qa") == 0


def test_force_lifts_it_and_is_noted(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": HELD})

    assert resumed(cluster, wanting(declared, 50), force=True).change.made
    assert json.loads(cluster.annotations["sluice/lifted"])[0]["reason"] == "a new fine-tune (forced)"


def test_an_agent_that_another_override_holds_is_no_danger_and_says_whose(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": HELD, "all": '{"weight": 0, "by": "bob"}'})

    (after,) = resumed(cluster, wanting(declared, 50)).agents

    assert (after.now_percent, after.held_by) == (0, "the override of all by bob")


def test_lifting_that_of_all_leaves_the_agents_own(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 50, "legal": 10}, override={"qa": HELD, "all": "0"})

    done = resumed(cluster, wanting(declared, 10), None)

    assert [(one.agent, one.now_percent) for one in done.agents] == [("qa", 0), ("legal", 10)]
    assert set(cluster.overrides.entries) == {"qa"}


def test_an_override_that_only_narrowed_may_be_lifted_to_what_was_served_before(declared: Environment) -> None:
    cluster = MadeCluster(weights={"qa": 25}, override={"qa": '{"weight": 25, "by": "bob"}'})

    assert resumed(cluster, wanting(declared, 25)).change.made


def test_nothing_to_lift_is_no_change(declared: Environment) -> None:
    cluster = MadeCluster()

    assert not resumed(cluster, declared).change.made
    assert cluster.writes == 0


def test_flags_that_cannot_be_read_refuse_it_unless_forced(declared: Environment) -> None:
    cluster = MadeCluster(
        override={"qa": HELD}, fault=lambda method, path: said(500, {}) if path.endswith("/flags") else None
    )

    with pytest.raises(FlagsUnreadable, match="what would be served"):
        resumed(cluster, declared)
    assert resumed(cluster, declared, force=True).change.made


def test_a_registry_that_cannot_be_read_is_no_reason_to_refuse() -> None:
    cluster = MadeCluster(weights={"qa": 10}, override={"qa": HELD})

    assert resumed(cluster, None).change.made


def test_an_unknown_agent_is_refused(declared: Environment) -> None:
    with pytest.raises(UnknownAgent, match="did you mean qa"):
        resumed(MadeCluster(), declared, "qaa")


def test_a_stray_key_that_is_no_agent_can_be_lifted(declared: Environment) -> None:
    cluster = MadeCluster(override={"qaa": "0"})

    assert resumed(cluster, declared, "qaa").change.made


def test_an_entry_that_another_candidate_ended_is_lifted_and_said_to_have_held_nobody(declared: Environment) -> None:
    entry = Override(0, "guard", "errors", candidate="qa-0")
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": entry.text})

    done = resumed(cluster, wanting(declared, 50))

    (after,) = done.agents
    assert (after.was_percent, after.now_percent) == (50, 50)
    (ended,) = done.ended
    assert ended.startswith("was for qa-0 and no longer holds, since the rollout names qa-1")


def test_what_was_replaced_is_a_danger_as_well(declared: Environment) -> None:
    entry = Override(25, "guard", "points", candidate="qa-2").over(Override(0, "guard", "errors", candidate="qa-1"))
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": entry.text})

    with pytest.raises(NotInOrder, match="qa: 50 % of its users would be on the candidate at once"):
        resumed(cluster, wanting(declared, 0))


@pytest.mark.parametrize("force", [False, True])
def test_what_a_guard_set_after_the_look_is_not_lifted_with_what_was_looked_at(
    declared: Environment, *, force: bool
) -> None:
    ended = Override(0, "guard", "errors", candidate="qa-0")
    fell = Override(0, "guard", "21 of 40 failed", candidate="qa-1").over(ended)
    cluster = MadeCluster(weights={"qa": 50}, override={"qa": ended.text})

    def rolls_back(method: str, path: str) -> MadeAnswer | None:
        if path.endswith("/flags"):
            cluster.override = {"qa": fell.text}
            cluster.version += 1
        return None

    cluster.fault = rolls_back
    with pytest.raises(ChangedMeanwhile, match=r"not lifted: the override of qa was .* by guard: 21 of 40 failed; run"):
        resumed(cluster, wanting(declared, 50), force=force)
    assert cluster.overrides.allowed_percent("qa", "qa-1") == 0
    assert cluster.writes == 0
