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
    FALLBACK = "fallback"
    """The model that should have answered failed, was left alone or was too slow, and a later one answered."""
    ERROR = "error"
    """The caller saw an error that it did not cause, or hung up before the answer began."""
    REJECTED = "rejected"
    """Refused because of the request itself, by the gateway or by the provider."""


# A provider says with these that it, its address, its account or its key is at fault: 401 and 403 the key, 402 the
# account, 404 and 410 a model that is gone, 405 and 407 the address, 408, 409 and 425 the moment, 429 the rate. Every
# other 4xx (400, 413, 415, 422 and whatever comes) is about the request.
_FAULTS_OF_THE_PROVIDER_BELOW_500 = frozenset({401, 402, 403, 404, 405, 407, 408, 409, 410, 425, 429})


def outcome_of_status(status: int) -> Outcome:
    """Return how an answer with a provider's HTTP status is counted."""
    if status < 400:
        return Outcome.OK
    if status >= 500 or status in _FAULTS_OF_THE_PROVIDER_BELOW_500:
        return Outcome.ERROR
    return Outcome.REJECTED
