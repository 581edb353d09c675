"""Whatever happens around the gateways, every call is answered, and each user by the arm that is theirs."""

from __future__ import annotations

import copy
import itertools
import json
import math
import signal
import statistics
import time
from typing import Any

from sluice.render.gateway import DRAIN_SECONDS
from tests.live.faults.served_weights import ServedWeights, served
from tests.live.faults.world import BASELINES, CANDIDATES, GATEWAYS, World, assert_right, kill

_CHANGES = 100


def seconds_to_every_pod(world: World, series: str, value: float, began: float) -> float:
    """Return how long after `began` the last gateway said that a series has a value."""
    waiting = list(world.project.pods())
    assert len(waiting) == GATEWAYS
    while waiting:
        assert time.monotonic() - began < 30, f"{waiting} do not come to {series} {value}"
        waiting = [pod for pod in waiting if world.metric_of(pod, series) != value]
    return time.monotonic() - began


def of_weight(flags: dict[str, Any], weight: int) -> str:
    """Return flags.json with another weight of every agent, at which the same users come first."""
    changed = copy.deepcopy(flags)
    for flag in changed["flags"].values():
        flag["metadata"]["weight"] = weight
        flag["targeting"]["fractional"][1:] = [["candidate", weight], ["baseline", 100 - weight]]
    return json.dumps(changed)


def test_a_killed_redis_costs_no_answer(world: World) -> None:
    with world.harm("Redis killed") as harm:
        world.stop("cache")
        world.project.wait_for(lambda: world.metric("sluice_store_up") == [0.0] * GATEWAYS)
        began = time.monotonic()
        harm.stay(5)
        ended = time.monotonic()
        world.start("cache")
        world.project.wait_for(lambda: world.metric("sluice_store_up") == [1.0] * GATEWAYS)

    assert_right(harm)
    # A machine that is busy holds up some calls; a gateway that waited for Redis would hold up all of them.
    without = [call.seconds for call in harm.load.calls if began < call.began < ended]
    assert statistics.median(without) < 1


def test_a_pod_told_to_end_finishes_what_it_began_long_streams_too(world: World) -> None:
    for provider in (CANDIDATES, BASELINES):
        world.dial(provider, chunk_delay_ms=60)  # streams of several seconds
    pods = world.project.pods()
    with world.harm("SIGTERM to a gateway, with long streams") as harm:
        kill(world.gateway_process(next(iter(pods))), signal.SIGTERM)
        harm.stay(DRAIN_SECONDS + 6)
    longest = max(call.seconds for call in harm.load.calls if call.streams)

    assert_right(harm)
    assert longest > 1.5, "streams were under way when the signal came"


def test_a_deleted_pod_loses_no_call(world: World) -> None:
    pods = world.project.pods()
    with world.harm("a pod deleted") as harm:
        world.kubectl("delete", "pod", next(iter(pods)), "--wait=false")
        world.project.wait_for(lambda: len(world.ready_pods()) == GATEWAYS, seconds=40)
        harm.stay(DRAIN_SECONDS + 2)

    assert_right(harm)
    assert world.project.pods() != pods


def test_a_pod_killed_outright_costs_no_caller_that_asks_again_an_answer(world: World) -> None:
    """What a killed process had in hand is lost with its connections: OpenAI's clients ask again, twice."""
    pid = world.gateway_process(next(iter(world.project.pods())))
    with world.harm("a pod killed (SIGKILL), callers ask again", tries=3) as harm:
        kill(pid, signal.SIGKILL)
        harm.stay(6)
    again = [call for call in harm.load.calls if call.tries > 1]
    harm_seconds = max((call.began + call.seconds - harm.began for call in again), default=0.0)
    print(f"asked again: {len(again)}, the last {harm_seconds:.1f} s after the kill")

    cut = [call for call in harm.load.failed if call.status == 200]
    assert [call for call in harm.load.failed if call not in cut] == []
    assert len(cut) < 20, "streams whose beginning had been sent are all that nobody can ask again for"
    assert all(call.streams for call in cut)
    assert harm.load.fallen_back == []
    assert all(len(arms) == 1 for arms in harm.load.arms().values())


def test_corrupted_flags_change_nothing_and_are_said_to_be(world: World) -> None:
    good = world.flags()
    broken_agent, no_agents = copy.deepcopy(good), copy.deepcopy(good)
    broken_agent["flags"]["qa"] = {"state": "ENABLED", "variants": 7}
    no_agents["flags"] = {}
    try:
        with world.harm("flags corrupted, three ways") as harm:
            for text in ('{"flags": {"qa"', json.dumps(broken_agent), json.dumps(no_agents)):
                world.put_flags(text)
                world.project.wait_for(lambda: world.metric("sluice_flags_broken") == [1.0] * GATEWAYS)
                harm.stay(2)
    finally:
        world.put_flags(json.dumps(good))

    assert_right(harm)
    world.project.wait_for(lambda: world.metric("sluice_flags_broken") == [0.0] * GATEWAYS)


def test_a_hundred_weight_changes_in_a_minute_fail_no_call_and_move_no_user_back_and_forth(world: World) -> None:
    good = world.flags()
    pods = world.project.pods()
    changes: list[tuple[int, float]] = []
    try:
        world.put_flags(of_weight(good, 0))
        world.project.wait_for(lambda: world.metric(served("qa")) == [0.0] * GATEWAYS)
        with world.harm(f"{_CHANGES} weight changes in a minute") as harm, ServedWeights(world, "qa") as gateways:
            began = time.monotonic()
            for weight in range(1, _CHANGES + 1):  # ever more, so that a user may change once: to the candidate
                changes.append((weight, time.monotonic()))  # kubectl's own time is counted too
                world.put_flags(of_weight(good, weight))
                time.sleep(max(0.0, began + weight * 60 / _CHANGES - time.monotonic()))
            world.project.wait_for(lambda: gateways.has_come_to(_CHANGES))
            times = sorted(gateways.seconds_to_every_gateway(changes))
            median, nearly_all = statistics.median(times), times[math.ceil(0.99 * len(times)) - 1]
            harm.note = f"to every pod: median {median:.2f} s, 99th percentile {nearly_all:.2f} s"
    finally:
        world.put_flags(json.dumps(good))

    assert harm.load.failed == []
    assert harm.load.fallen_back == []
    assert world.project.pods() == pods
    in_the_minute = [call for call in harm.load.calls if call.began > harm.began + 2]
    for user in {call.user for call in in_the_minute}:
        arms = [call.arm for call in in_the_minute if call.user == user]
        # Two pods may differ for the moment that a change takes: a user who has come over may be sent back once or so.
        assert sum(before != after for before, after in itertools.pairwise(arms)) <= 3, (user, arms)
    assert median < 1
    assert nearly_all < 5
    world.project.wait_for(lambda: world.metric(served("qa")) == [50.0] * GATEWAYS)


def test_an_override_reaches_every_pod_in_seconds_both_ways(world: World) -> None:
    times: list[float] = []
    with world.harm("override set and lifted, 5 times") as harm:
        for _ in range(5):
            for value, weight in (("0", 0.0), (None, 50.0)):
                began = time.monotonic()  # kubectl's own time is counted too
                world.set_override("qa", value)
                times.append(seconds_to_every_pod(world, served("qa"), weight, began))
        harm.note = f"to every pod: median {statistics.median(times):.2f} s, longest {max(times):.2f} s"

    assert harm.load.failed == []
    assert harm.load.fallen_back == []
    assert max(times) < 5
    others = [arms for user, arms in harm.load.arms().items() if not user.startswith("qa-")]
    assert all(len(arms) == 1 for arms in others), "no other agent's users move"


def test_a_rotated_provider_key_is_used_without_a_restart(world: World) -> None:
    pods = world.project.pods()
    before = {each["last_key_fingerprint"] for each in world.asked(CANDIDATES).values()}
    there = json.loads(world.kubectl("get", "secret", "provider-keys", "--output", "json"))["data"]["mistral-api-key"]
    key = "mistral-api-key"
    try:
        with world.harm("provider's key rotated") as harm:
            began = time.monotonic()
            patch = json.dumps({"stringData": {key: "a-made-key-that-opens-nothing-either"}})
            world.kubectl("patch", "secret", "provider-keys", "--type", "merge", "--patch", patch)

            def all_new() -> bool:
                now = {each["last_key_fingerprint"] for each in world.asked(CANDIDATES).values()}
                return not now & before

            world.project.wait_for(all_new, seconds=90)
            harm.note = f"the new key was in use {time.monotonic() - began:.0f} s after the Secret changed"
    finally:
        world.kubectl("patch", "secret", "provider-keys", "--type", "merge", "-p", json.dumps({"data": {key: there}}))

    assert_right(harm)
    assert world.project.pods() == pods


def test_a_rollout_to_a_new_image_fails_no_call(world: World) -> None:
    before, pods = world.project.pod_image("gateway"), world.project.pods()
    source = world.project.folder / "sluice/gateway/__init__.py"
    text = source.read_text()
    try:
        source.write_text(f"{text}\nBUILT_ANEW = {time.time_ns()}\n")
        with world.harm("rollout to a new image") as harm:
            world.project.up()
            assert not world.project.pods().keys() & pods.keys()
            harm.stay(DRAIN_SECONDS + 2)
    finally:
        source.write_text(text)

    assert_right(harm)
    assert world.project.pod_image("gateway") != before
    assert not math.isnan(sum(world.metric(served("qa"))))
