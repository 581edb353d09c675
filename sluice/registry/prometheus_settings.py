"""The Prometheus that measures an environment: where it is, and which of its series are this environment's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExternalPrometheus:
    """A Prometheus that others run; `match` narrows queries down to this environment, and may be empty."""

    url: str
    match: str


def prometheus_of(body: Mapping[str, Any] | None, namespace: str) -> ExternalPrometheus | None:
    """Build `sluice:prometheus`, None where it is left out."""
    if body is None:
        return None
    # The label that prometheus-operator puts on whatever is scraped in a namespace.
    return ExternalPrometheus(body["url"].rstrip("/"), body.get("match", f'namespace="{namespace}"'))
