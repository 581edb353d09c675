"""Whatever the candidates' provider does, no caller sees it; what the baselines' does is told plainly."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest

from sluice.gateway.hedge_budget import MOST_SAVED
from tests.live.faults.world import (
    BASELINES,
    BREAKER_SECONDS,
    CANDIDATES,
    DEADLINE_SECONDS,
    HEDGE_AFTER_SECONDS,
    HEDGED,
    Harm,
    World,
)
from tests.live.project import URL
from tests.live.shown import Say

_TOLD_PLAINLY = ((502, "provider_unreachable"), (504, "provider_timeout"))

_FAST_FAILURE_MS = DEADLINE_SECONDS * 1000
_SLOW_FAILURE_MS = DEADLINE_SECONDS * 1000 * 2
"""A slow candidate gets half the time while a baseline stands behind it, which then has the other half.

Both leave as much again for a busy machine, on which a caller waits for its own turn too. To wait for the candidate
would take 30 seconds.
"""


def assert_right(harm: Harm) -> None:
    """Assert that no call failed, and that every user had one arm all along, whoever answered in its place."""
    assert harm.load.failed == []
    assert {arm for arms in harm.load.arms().values() for arm in arms} == {"candidate", "baseline"}
    assert all(len(arms) == 1 for arms in harm.load.arms().values())
    assert {call.arm for call in harm.load.fallen_back} <= {"candidate"}


def recovery(harm: Harm, ended: float) -> float:
    """Return the seconds from the fault's end to the last call that a baseline had to answer."""
    return max((call.began + call.seconds - ended for call in harm.load.fallen_back), default=0.0)


def test_a_dead_candidate_is_answered_by_the_baseline_until_it_lives_again(world: World) -> None:
    with world.harm("candidate's provider dead", after_seconds=BREAKER_SECONDS + 3) as harm:
        world.stop(CANDIDATES)
        harm.stay(6)
        world.start(CANDIDATES)

    assert_right(harm)
    assert harm.load.fallen_back
    late = [call for call in harm.load.calls[-50:] if call.outcome == "fallback"]
    assert late == [], "the candidate is asked again"


@pytest.mark.parametrize(
    ("fault", "dials", "worst_ms"),
    [
        ("candidate slow (30 s)", {"latency_ms": 30_000}, _SLOW_FAILURE_MS),
        ("candidate answers 429", {"error_rate": 1, "error_status": 429}, _FAST_FAILURE_MS),
        ("candidate answers 500 to 20 %", {"error_rate": 0.2, "error_status": 500}, _FAST_FAILURE_MS),
        ("candidate answers garbage", {"garbage": True}, _FAST_FAILURE_MS),
        ("candidate's answers cut before a token", {"cut_after": 0}, _FAST_FAILURE_MS),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else None,
)
def test_what_a_candidate_does_wrong_no_caller_sees(
    world: World, fault: str, dials: dict[str, Any], worst_ms: float
) -> None:
    # A call that tries a slow candidate as it mends has still to time out, and keeps the others away for longer.
    after_seconds = BREAKER_SECONDS + 2 + (DEADLINE_SECONDS / 2 if "slow" in fault else 0)
    with world.harm(fault, after_seconds=after_seconds) as harm:
        world.dial(CANDIDATES, **dials)
        harm.stay(7)
        world.dial(CANDIDATES)

    assert_right(harm)
    assert harm.load.fallen_back, "the fault was felt"
    assert harm.load.worst_ms < worst_ms
    assert [call for call in harm.load.calls[-50:] if call.outcome == "fallback"] == [], "the candidate is asked again"


def test_a_hedged_agents_callers_do_not_wait_for_a_slow_candidate_to_time_out(world: World, say: Say) -> None:
    # Hedges that a gateway has saved up, asked one by one: all of them may come to the same one.
    world.dial(CANDIDATES, latency_ms=30_000)
    took, outcomes = zip(*(_hedged_call(number) for number in range(MOST_SAVED)), strict=True)
    world.dial(CANDIDATES)

    say(
        f"candidate slow (30 s), hedged after {HEDGE_AFTER_SECONDS} s: {len(took)} calls, 0 failed, longest "
        f"{max(took):.1f} s, where the candidate has {DEADLINE_SECONDS / 2:.0f} s alone"
    )
    assert outcomes == ("fallback",) * MOST_SAVED
    assert min(took) > HEDGE_AFTER_SECONDS / 2, "the candidate has its time"
    of_the_arm = f'agent="{HEDGED}",arm="candidate"'
    world.project.wait_for(
        lambda: sum(world.metric(f'sluice_requests_total{{{of_the_arm},outcome="fallback"}}')) == MOST_SAVED
    )
    assert sum(world.metric(f'sluice_hedges_total{{{of_the_arm},result="won"}}')) == MOST_SAVED
    assert sum(world.metric(f'sluice_model_failures_total{{model="{HEDGED}-20251031"}}')) == 0


def _hedged_call(number: int) -> tuple[float, str]:
    """Ask the agent that is hedged, and return how many seconds that took and what the gateway says of its outcome."""
    messages = [{"role": "user", "content": f"What does step {number} cost, at {time.monotonic()}?"}]
    body = json.dumps({"model": HEDGED, "user": f"user-{number}", "messages": messages}).encode()
    asked = urllib.request.Request(f"{URL}/v1/chat/completions", body, {"content-type": "application/json"})
    began = time.monotonic()
    with urllib.request.urlopen(asked, timeout=60) as response:
        assert json.load(response)["choices"][0]["message"]["content"]
        return time.monotonic() - began, response.headers.get("x-sluice-outcome", "")


def test_a_stream_cut_in_its_middle_ends_with_an_error_and_nothing_else_fails(world: World) -> None:
    with world.harm("candidate's streams cut in the middle", after_seconds=BREAKER_SECONDS + 2) as harm:
        world.dial(CANDIDATES, cut_after=5)
        harm.stay(7)
        world.dial(CANDIDATES)
        harm.note = "the cut streams, each with an error at its end"

    failed = harm.load.failed
    assert failed, "the fault was felt"
    for call in failed:
        assert (call.streams, call.arm, call.status) == (True, "candidate", 200), call
        assert call.error["message"], call
        assert call.error["type"] == "server_error", call
    # Five breaks in a row open the breaker of a model; until a replica knows, more are under way.
    assert len(failed) < 60


def test_with_the_baselines_dead_their_users_are_told_so_at_once_and_candidates_serve_on(world: World) -> None:
    with world.harm("baselines' provider dead", after_seconds=BREAKER_SECONDS + 3) as harm:
        world.stop(BASELINES)
        harm.stay(6)
        world.start(BASELINES)
        harm.note = "the baselines' users, told in a 502 or 504"

    failed = harm.load.failed
    assert {call.arm for call in failed} == {"baseline"}
    for call in failed:
        if call.status == 200:  # a stream that was under way as its provider died
            assert call.streams, call
            assert call.error, call
            continue
        # Until kube-proxy knows that a pod is gone, a connection to it may time out, after 5 seconds.
        assert (call.status, call.error["code"]) in _TOLD_PLAINLY, call
        assert call.error["message"].startswith("Provider '"), call
    assert all(len(arms) == 1 for arms in harm.load.arms().values())
    assert [call for call in harm.load.calls[-50:] if call.fault] == [], "they are answered again"
