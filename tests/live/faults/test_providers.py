"""Whatever the candidates' provider does, no caller sees it; what the baselines' does is told plainly."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.faults.world import BASELINES, BREAKER_SECONDS, CANDIDATES, DEADLINE_SECONDS, Harm, World

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
