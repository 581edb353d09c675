"""Prometheus asked by a clock that is set: the question in real time, the answer as the clock shows it."""

from __future__ import annotations

from datetime import UTC, datetime

from sluice.rollout.set_clock import SetClock
from tests.live.prometheus_by_clock import asked_in_real_time, told_as_shown

SHOWN, REAL = datetime(2025, 11, 6, tzinfo=UTC), datetime(2025, 11, 20, tzinfo=UTC)
CLOCK = SetClock(SHOWN, REAL, 200)


def test_moments_and_durations_are_asked_as_they_really_are() -> None:
    query = 'sum by (arm) (increase(sluice_requests_total{agent="qa"}[3600s]))'
    at, later = SHOWN.timestamp() + 7200, SHOWN.timestamp() + 14400

    assert asked_in_real_time({"query": query, "time": f"{at:.3f}", "timeout": "5s"}, CLOCK) == {
        "query": 'sum by (arm) (increase(sluice_requests_total{agent="qa"}[18000ms]))',
        "time": f"{REAL.timestamp() + 36:.3f}",
        "timeout": "5s",
    }
    asked = asked_in_real_time({"query": "up", "start": str(at), "end": str(later), "step": "300"}, CLOCK)
    assert (asked["start"], asked["end"], asked["step"]) == (
        f"{REAL.timestamp() + 36:.3f}",
        f"{REAL.timestamp() + 72:.3f}",
        "1.500",
    )


def test_what_is_answered_stands_at_the_time_that_is_shown() -> None:
    at, shown = REAL.timestamp() + 36, SHOWN.timestamp() + 7200

    def answered(query: str, **series: object) -> object:
        told = told_as_shown(query, {"status": "success", "data": {"result": [series]}}, CLOCK)
        return told["data"]["result"][0]

    assert answered("up", value=[at, "3"]) == {"value": [shown, "3"]}
    assert answered("up", values=[[at, "3"]]) == {"values": [[shown, "3"]]}
    assert answered("max(timestamp(up))", value=[at, str(at)]) == {"value": [shown, f"{shown:.3f}"]}
    refused = {"status": "error", "error": "made"}
    assert told_as_shown("up", refused, CLOCK) == refused
