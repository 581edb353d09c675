"""The guard of an environment: whether it has one, and the Prometheus that it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The guard: the Prometheus that it asks, and what narrows its queries down to this environment.

    Of several replicas one acts, and another takes over within seconds of its end.
    """

    image: str
    prometheus: str
    match: str
    replicas: int = 1


def guard_of(body: Mapping[str, Any] | None, namespace: str) -> GuardSettings | None:
    """Build `sluice:guard`, None where it is left out."""
    if body is None:
        return None
    # The label that prometheus-operator puts on whatever is scraped in a namespace.
    match = body.get("match", f'namespace="{namespace}"')
    return GuardSettings(body["image"], body["prometheus"].rstrip("/"), match, int(body.get("replicas", 1)))
