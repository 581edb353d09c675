"""The words under which a request is counted: its arm and its outcome.

They are label values of the metrics, so there are few of them and they stay; alerts and the guard compare arms by them.
"""

from __future__ import annotations

from enum import StrEnum


class Arm(StrEnum):
    """Which of the two served. NONE stands for a request that was refused before it was assigned."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"
    NONE = "none"


class Outcome(StrEnum):
    """How it ended, as the caller saw it."""

    OK = "ok"
    ERROR = "error"
    """The caller saw an error that it did not cause, or hung up before the answer began."""
    REJECTED = "rejected"
    """Refused because of the request itself, by the gateway or by the provider."""


# A provider says with these that it, its address or its key is at fault; every other 4xx is about the request. That one
# arm refuses what the other takes stays visible all the same, since what a provider rejected is counted under its arm.
_FAULTS_OF_THE_PROVIDER_BELOW_500 = frozenset({401, 403, 404, 408, 429})


def outcome_of_status(status: int) -> Outcome:
    """Return how an answer with a provider's HTTP status is counted."""
    if status < 400:
        return Outcome.OK
    if status >= 500 or status in _FAULTS_OF_THE_PROVIDER_BELOW_500:
        return Outcome.ERROR
    return Outcome.REJECTED
