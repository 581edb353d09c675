"""How users are drawn, pinned: which generation of flagd's hash, over what, and whether the library here does that.

flagd has had three hashes that agree on nobody: 1 by floating point, 2 by (hash * total) >> 32 over the text, 3 the
same over the text's canonical CBOR. A gateway that drew by another one than the registry pins would exchange the users
of every running rollout without a sign, so it does not start.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from sluice.errors import SluiceError

BUCKETS = 100

# Agent, candidate, user and bucket of 100, computed by hand from murmur3's definition and RFC 8949's canonical form.
KNOWN_DRAWS: tuple[tuple[str, str, str, int], ...] = (
    ("qa", "qa-20251031", "user-3", 0),
    ("qa", "qa-20251031", "Alice", 48),
    ("qa", "qa-20251031", "李雷", 21),
    ("legal", "legal-20251031", "Alice", 3),
    ("legal", "legal-20251031", "12345678901234567", 82),
    ("support", "support-20251031", "alice ", 97),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What gateway.json pins, in the words of the registry's `assignment`; the defaults are what this gateway does."""

    hash: int = 3
    salt: str = "agent/candidate/"
    key: str = "as sent"


class DrawDiffers(SluiceError):
    """Users would be drawn otherwise than the registry says."""


def check_draw(pinned: Draw) -> None:
    """Hold what gateway.json pins against what this gateway does, and that against draws that are known.

    Raises DrawDiffers.
    """
    ours = Draw()
    for field in ("hash", "salt", "key"):
        if getattr(pinned, field) != getattr(ours, field):
            raise DrawDiffers(
                f"assignment.{field}: gateway.json pins {getattr(pinned, field)!r} and this gateway draws by "
                f"{getattr(ours, field)!r}; take an image that draws by the former, or users change their arms"
            )
    for agent, candidate, user, bucket in KNOWN_DRAWS:
        if (drawn := bucket_of(agent, candidate, user)) != bucket:
            raise DrawDiffers(
                f"assignment.hash: flagd's library draws {user!r} for {agent}/{candidate} into bucket {drawn} of "
                f"{BUCKETS}, not {bucket}: it is no library of hash {ours.hash}; go back to the pinned version"
            )


def bucket_of(agent: str, candidate: str, user: str) -> int | None:
    """Return which of 100 equal buckets the library draws a user into, None where it says none.

    A user is on the candidate at every weight above the bucket.
    """
    key = {"cat": [f"{agent}/{candidate}/", {"var": "targetingKey"}]}
    names = [str(number) for number in range(BUCKETS)]
    flag = {
        "state": "ENABLED",
        "variants": {name: name for name in names},
        "defaultVariant": names[0],
        "targeting": {"fractional": [key, *([name, 1] for name in names)]},
    }
    core = FlagdCore()
    try:
        core.set_flags(orjson.dumps({"flags": {"draw": flag}}).decode())
        details = core.resolve_string_value("draw", "", EvaluationContext(user))
    except OpenFeatureError:
        return None
    return int(details.value) if details.value in names and details.reason == "TARGETING_MATCH" else None
