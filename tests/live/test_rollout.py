"""The five agents answer, each user from the arm that git says, whatever happens to the pods."""

from __future__ import annotations

import math
import re
import sys

from tests.live.project import AGENTS, NAMESPACE, LiveProject

USERS = tuple(f"user-{number}@example.com" for number in range(2000))


def serve(project: LiveProject, weight: int, *, enabled: bool = True) -> dict[str, str]:
    """Put every agent at a weight by `sluice up`, wait until it is served, and return the arm of each user of qa."""
    project.roll_out(dict.fromkeys(AGENTS, weight), enabled=enabled)
    project.up()
    wanted = weight if enabled else 0
    project.wait_for(lambda: served_weight(project) == wanted)
    return project.arms("qa", USERS)


def served_weight(project: LiveProject) -> float:
    """Read the weight of qa that the pod says it serves from its metrics."""
    (pod,) = project.pods()
    metrics = project.cluster.text(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics")
    (line,) = [
        line for line in metrics.splitlines() if line.startswith('sluice_rollout_weight{agent="qa",kind="served"')
    ]
    return float(line.split()[-1])


def candidates(arms: dict[str, str]) -> set[str]:
    return {user for user, arm in arms.items() if arm == "candidate"}


def test_every_agent_answers_two_users_after_up(project: LiveProject) -> None:
    project.roll_out(dict.fromkeys(AGENTS, 50))

    said = project.up()

    replies = said["replies"]
    assert [reply["agent"] for reply in replies] == [agent for agent in AGENTS for _ in range(2)]
    assert {reply["arm"] for reply in replies} == {"candidate", "baseline"}
    for reply in replies:
        assert reply["model"] == (f"{reply['agent']}-20251031" if reply["arm"] == "candidate" else "gpt-4o")
        assert reply["answer"]
        assert reply["latency_ms"] > 0
        assert reply["cost_dollars"] > 0


def test_up_asks_by_the_weights_that_it_has_just_set(project: LiveProject) -> None:
    project.up()
    for weight, arm in ((100, "candidate"), (0, "baseline")):
        project.roll_out(dict.fromkeys(AGENTS, weight))

        assert {reply["arm"] for reply in project.up()["replies"]} == {arm}
    project.roll_out(dict.fromkeys(AGENTS, 50))


def test_up_in_a_shell_with_the_variables_of_env_changes_nothing(project: LiveProject) -> None:
    project.up()

    ran = project.in_shell('exec "$1" -m sluice up live', sys.executable)

    assert ran.exit_code == 0, ran.stderr
    assert "started again" not in ran.stderr
    assert re.search(r"^  \d+ unchanged$", ran.stderr, re.MULTILINE)


def test_what_was_changed_in_the_cluster_by_hand_is_made_as_git_says_again(project: LiveProject) -> None:
    project.up()
    assert project.kubectl("delete", "configmap", "flags").exit_code == 0
    assert project.kubectl("scale", "deployment", "gateway", "--replicas", "0").exit_code == 0

    project.up()

    assert project.kubectl("get", "configmap", "flags").exit_code == 0
    assert len(project.pods()) == 1


def test_a_second_up_changes_nothing(project: LiveProject) -> None:
    project.up()

    assert set(project.up()["changes"]) == {"same"}


def test_the_share_of_candidates_is_the_weight_within_chance(project: LiveProject) -> None:
    share = len(candidates(serve(project, 10))) / len(USERS)

    # Five standard deviations of a binomial share: the users are fixed, so this either holds or never does.
    assert abs(share - 0.10) < 5 * math.sqrt(0.10 * 0.90 / len(USERS))


def test_a_higher_weight_keeps_every_user_and_restarts_no_pod(project: LiveProject) -> None:
    at_10 = candidates(serve(project, 10))
    pods = project.pods()

    at_25 = candidates(serve(project, 25))

    assert at_10 < at_25
    assert project.pods() == pods


def test_weights_0_and_100_are_exact(project: LiveProject) -> None:
    assert candidates(serve(project, 0)) == set()
    assert candidates(serve(project, 100)) == set(USERS)


def test_the_kill_switch_sends_everybody_to_the_baseline_and_restarts_no_pod(project: LiveProject) -> None:
    serve(project, 100)
    pods = project.pods()

    assert candidates(serve(project, 100, enabled=False)) == set()
    assert project.pods() == pods


def test_a_user_keeps_the_arm_when_every_pod_was_replaced(project: LiveProject) -> None:
    before = serve(project, 25)
    pods = project.pods()

    assert project.kubectl("delete", "pods", "--wait=false", *pods).exit_code == 0
    project.wait_for(lambda: bool(project.pods()) and not project.pods().keys() & pods.keys() and answers(project))

    assert project.arms("qa", USERS) == before


def answers(project: LiveProject) -> bool:
    ran = project.sluice("ask", "live", "qa", "Are you there?", "--user", "ada")
    return ran.exit_code == 0
