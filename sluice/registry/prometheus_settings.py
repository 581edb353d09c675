"""The Prometheus that measures an environment: its own, or one that others run; and which of its series are of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

EMBEDDED_NAME: Final = "prometheus"
EMBEDDED_PORT: Final = 9090
SCRAPED_EVERY_SECONDS: Final = 15
"""By whichever Prometheus: the guard waits for as much before it sees harm."""


@dataclass(frozen=True, slots=True)
class EmbeddedPrometheus:
    """A Prometheus of the environment's own, which forgets all when it restarts, and what is older than `keep`.

    `alertmanager` is the address of who is told of alerts, None for nobody.
    """

    image: str
    namespace: str
    memory: str = "256Mi"
    keep: str = "1d"
    alertmanager: str | None = None

    @property
    def url(self) -> str:
        """The address at which the environment's own pods find it."""
        return f"http://{EMBEDDED_NAME}:{EMBEDDED_PORT}"

    @property
    def match(self) -> str:
        """What narrows queries down to this environment: it puts the label on all that it scrapes."""
        return _in(self.namespace)


@dataclass(frozen=True, slots=True)
class ExternalPrometheus:
    """A Prometheus that others run; `match` narrows queries down to this environment, and may be empty."""

    url: str
    match: str


def prometheus_of(body: Mapping[str, Any] | None, namespace: str) -> EmbeddedPrometheus | ExternalPrometheus | None:
    """Build `sluice:prometheus`, None where it is left out."""
    if body is None:
        return None
    if "url" in body:
        return ExternalPrometheus(body["url"].rstrip("/"), body.get("match", _in(namespace)))
    return EmbeddedPrometheus(namespace=namespace, **body["embedded"])


def _in(namespace: str) -> str:
    # The label that prometheus-operator puts on whatever is scraped in a namespace.
    return f'namespace="{namespace}"'
