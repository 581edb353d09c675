"""Where a Redis comes from that the gateway's replicas share: the environment's own, or one that others run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CACHE_MEMORY = "64Mi"


@dataclass(frozen=True, slots=True)
class EmbeddedCache:
    """A Redis of the environment's own, which forgets all when it restarts; `memory` is what it may store."""

    image: str
    memory: str


@dataclass(frozen=True, slots=True)
class ExternalCache:
    """A Redis that others run."""

    url: str


def cache_of(body: Mapping[str, Any] | None) -> EmbeddedCache | ExternalCache | None:
    """Build `sluice:cache`, None where it is left out."""
    if body is None:
        return None
    if "url" in body:
        return ExternalCache(body["url"])
    return EmbeddedCache(body["embedded"]["image"], body["embedded"].get("memory", _CACHE_MEMORY))
