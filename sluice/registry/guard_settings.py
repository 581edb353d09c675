"""The guard of an environment: whether it has one, and how many stand by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The guard, which asks the environment's Prometheus.

    Of several replicas one acts, and another takes over within seconds of its end.
    """

    image: str
    replicas: int = 1


def guard_of(body: Mapping[str, Any] | None) -> GuardSettings | None:
    """Build `sluice:guard`, None where it is left out."""
    return None if body is None else GuardSettings(body["image"], int(body.get("replicas", 1)))
