"""A rollback from the write to the proof, against pods that hear it late, never, or go on failing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.override import Override, read_override
from sluice.rollout.effect import Clock, wait_until_reached
from sluice.rollout.rollback import HeldAlone, Request, Rollback, UnknownAgent, patch_command, roll_back
from tests.rollout.made_cluster import NAMESPACE, MadeAnswer, MadeClock, MadeCluster, MadePod, said


def rolled_back(
    cluster: MadeCluster,
    clock: MadeClock | None = None,
    agent: str | None = "qa",
    prove: float = 10.0,
    *,
    another_ends_it: bool = False,
) -> Rollback:
    clock = clock or MadeClock()
    request = Request(
        "made", NAMESPACE, agent, "ada", "errors above 5 %", prove_seconds=prove, another_ends_it=another_ends_it
    )
    return roll_back(cluster, request, Path("/nowhere"), clock=Clock(clock.now, clock.sleep))


def test_every_pod_is_asked_and_its_seconds_are_told() -> None:
    cluster = MadeCluster()
    cluster.pods["gateway-b"].hears = False
    clock = MadeClock(on_sleep=lambda at: setattr(cluster.pods["gateway-b"], "hears", at >= 1002))

    done = rolled_back(cluster, clock)

    assert [(pod.pod, pod.seconds) for pod in done.pods] == [("gateway-a", 0.0), ("gateway-b", 2.0)]
    assert done.reached_every_pod
    assert done.proof is not None
    assert done.proof.holds


def test_a_pod_that_never_hears_is_named_and_the_override_stays() -> None:
    cluster = MadeCluster()
    cluster.pods["gateway-b"].hears = False

    done = rolled_back(cluster)

    assert [(pod.pod, pod.seconds is None) for pod in done.pods] == [("gateway-a", False), ("gateway-b", True)]
    assert not done.reached_every_pod
    assert cluster.overrides.allowed_percent("qa") == 0


def test_a_pod_that_does_not_answer_has_not_heard() -> None:
    cluster = MadeCluster()
    cluster.pods["gateway-b"].answers = False

    assert not rolled_back(cluster).reached_every_pod


def test_a_pod_that_is_told_to_end_is_not_waited_for() -> None:
    cluster = MadeCluster()
    cluster.pods["gateway-b"] = MadePod(hears=False, ends=True)

    assert [pod.pod for pod in rolled_back(cluster).pods] == ["gateway-a"]


def test_without_a_pod_nothing_is_claimed() -> None:
    done = rolled_back(MadeCluster(pods={}))

    assert (done.pods, done.reached_every_pod, done.proof) == ((), False, None)


def test_all_is_reached_when_every_agent_is() -> None:
    cluster = MadeCluster()

    done = rolled_back(cluster, agent=None)

    assert done.change.key == "all"
    assert done.reached_every_pod
    assert all(cluster.overrides.allowed_percent(agent) == 0 for agent in cluster.weights)


def test_pods_that_keep_one_agent_on_its_candidate_have_not_heard_of_a_rollback_of_all() -> None:
    cluster = MadeCluster(override={"qa": "0"})
    clock = MadeClock()

    pods = wait_until_reached(
        cluster, NAMESPACE, None, 0, began=clock.now(), patience_seconds=5, clock=Clock(clock.now, clock.sleep)
    )

    assert [pod.seconds for pod in pods] == [None, None]


def test_an_answer_that_had_begun_before_starts_the_proof_anew() -> None:
    cluster = MadeCluster()
    pod = cluster.pods["gateway-a"]

    def meanwhile(at: float) -> None:
        pod.count("qa", "baseline")
        if at == 1004:
            pod.count("qa", "candidate")

    done = rolled_back(cluster, MadeClock(on_sleep=meanwhile))

    assert done.proof is not None
    assert done.proof.holds
    assert done.proof.seconds == 10
    assert (done.proof.agents[0].candidate_requests, done.proof.agents[0].baseline_requests) == (0, 10)


def test_a_candidate_that_goes_on_answering_is_not_proven_away() -> None:
    cluster = MadeCluster()
    clock = MadeClock(on_sleep=lambda at: cluster.pods["gateway-b"].count("qa", "candidate"))

    done = rolled_back(cluster, clock)

    assert done.proof is not None
    assert not done.proof.is_baseline_alone


@pytest.mark.parametrize(("outcome", "seconds"), [("error", 0.1), ("ok", 12.0)])
def test_a_baseline_that_is_in_trouble_itself_is_said(outcome: str, seconds: float) -> None:
    cluster = MadeCluster()
    pod = cluster.pods["gateway-a"]
    clock = MadeClock(on_sleep=lambda at: pod.count("qa", "baseline", outcome, seconds=seconds))

    done = rolled_back(cluster, clock)

    assert done.proof is not None
    assert done.proof.is_baseline_alone
    assert not done.proof.holds


def test_counts_from_before_and_of_other_agents_prove_nothing_and_disturb_nothing() -> None:
    cluster = MadeCluster()
    pod = cluster.pods["gateway-a"]
    pod.count("qa", "candidate", "error", times=500)
    clock = MadeClock(on_sleep=lambda at: pod.count("legal", "candidate", "error"))

    done = rolled_back(cluster, clock)

    assert done.proof is not None
    assert done.proof.agents == ()
    assert done.proof.holds


def test_an_unknown_agent_is_refused_with_the_one_that_was_meant_and_nothing_is_written() -> None:
    cluster = MadeCluster()

    with pytest.raises(UnknownAgent, match="did you mean legal"):
        rolled_back(cluster, agent="leagl")
    assert cluster.writes == 0


def test_an_agent_whose_flag_stands_in_a_second_config_map_is_known() -> None:
    cluster = MadeCluster(more_weights={"late": 25})

    assert rolled_back(cluster, agent="late").change.made


def test_flags_that_cannot_be_read_stand_in_nobodys_way() -> None:
    cluster = MadeCluster(fault=lambda method, path: said(500, {}) if path.endswith("/flags") else None)

    assert rolled_back(cluster).change.made


def test_an_api_server_that_goes_away_after_the_write_takes_nothing_back() -> None:
    cluster = MadeCluster(fault=lambda method, path: said(500, {}) if "/pods" in path else None)

    done = rolled_back(cluster)

    assert (done.change.made, done.reached_every_pod) == (True, False)


def test_the_line_for_a_shell_does_the_same_and_two_are_never_equal() -> None:
    request = Request("made", NAMESPACE, "qa", "ada", "it's \"bad\" & 'worse'")

    first, second = patch_command(request), patch_command(request)

    words = shlex.split(first)
    assert words[:6] == ["kubectl", "-n", NAMESPACE, "patch", "configmap", "override"]
    cluster = MadeCluster()
    cluster.ask("PATCH", f"/api/v1/namespaces/{NAMESPACE}/configmaps/override", json.loads(words[-1]))
    entry = cluster.overrides.entries["qa"]
    assert (entry.weight_percent, entry.by, entry.reason) == (0, "ada", "it's \"bad\" & 'worse'")
    assert first != second


def test_each_write_is_another_even_for_the_same_reason() -> None:
    cluster = MadeCluster()
    texts = set()
    for _ in range(3):
        rolled_back(cluster, prove=0)
        assert cluster.override is not None
        texts.add(cluster.override.pop("qa"))

    assert len(texts) == 3
    assert all(read_override(text).by == "ada" for text in texts)


def test_an_api_server_that_is_away_is_an_error_and_not_a_rollback() -> None:
    cluster = MadeCluster(fault=lambda method, path: said(503, {"message": "away"}))

    with pytest.raises(SluiceError, match="answers 503: away"):
        rolled_back(cluster)


@pytest.mark.parametrize(("another_ends_it", "held"), [(False, ""), (True, "qa-1")])
def test_it_holds_one_candidate_alone_only_where_the_registry_lets_another_end_it(
    another_ends_it: bool, held: str
) -> None:
    cluster = MadeCluster()

    done = rolled_back(cluster, prove=0, another_ends_it=another_ends_it)

    assert cluster.overrides.entries["qa"].candidate == held
    assert done.reached_every_pod


def test_all_and_what_flags_do_not_say_hold_every_candidate() -> None:
    cluster = MadeCluster()
    rolled_back(cluster, agent=None, prove=0, another_ends_it=True)
    assert cluster.overrides.entries["all"].candidate == ""

    blind = MadeCluster(fault=lambda method, path: said(500, {}) if path.endswith("/flags") else None)
    rolled_back(blind, prove=0, another_ends_it=True)
    assert blind.overrides.entries["qa"].candidate == ""


def test_flags_that_name_another_by_the_time_it_is_set_hold_every_candidate() -> None:
    cluster = MadeCluster()

    def merged() -> None:
        cluster.candidates = {"qa": "qa-2"}

    cluster.before_patch = merged
    done = rolled_back(cluster, prove=0, another_ends_it=True)

    assert cluster.overrides.entries["qa"].candidate == ""
    assert [cluster.overrides.allowed_percent("qa", named) for named in ("qa-1", "qa-2")] == [0, 0]
    assert done.reached_every_pod


def test_flags_that_cannot_be_read_again_once_it_is_set_hold_every_candidate() -> None:
    def fault(method: str, path: str) -> MadeAnswer | None:
        return said(500, {}) if path.endswith("/flags") and cluster.writes else None

    cluster = MadeCluster(fault=fault)
    done = rolled_back(cluster, prove=0, another_ends_it=True)

    assert cluster.overrides.entries["qa"].candidate == ""
    assert cluster.overrides.allowed_percent("qa", "qa-2") == 0
    assert done.reached_every_pod


def test_an_api_server_that_lets_one_candidate_alone_be_held_is_said_with_what_to_do() -> None:
    cluster = MadeCluster()
    cluster.fault = lambda method, path: said(403, {"message": "no"}) if cluster.writes > (method == "PATCH") else None

    with pytest.raises(HeldAlone, match=r"qa: the override holds qa-1 alone, .* run it again: .* answers 403: no"):
        rolled_back(cluster, prove=0, another_ends_it=True)
    assert cluster.overrides.allowed_percent("qa", "qa-1") == 0


def test_an_entry_for_the_candidate_before_is_no_rollback_of_this_one() -> None:
    cluster = MadeCluster(
        candidates={"qa": "qa-2"}, override={"qa": Override(0, "guard", "bad", candidate="qa-1").text}
    )

    done = rolled_back(cluster, prove=0, another_ends_it=True)

    assert done.change.made
    assert [one.candidate for one in cluster.overrides.entries["qa"].each] == ["qa-2", "qa-1"]


def test_the_line_for_a_shell_holds_every_candidate() -> None:
    request = Request("made", NAMESPACE, "qa", "ada", "errors", another_ends_it=True)

    assert "candidate" not in patch_command(request)
