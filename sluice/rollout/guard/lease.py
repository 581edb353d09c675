"""Which of several guards acts: the one that holds a Lease (https://kubernetes.io/docs/concepts/architecture/leases/).

Own, because the Kubernetes client's election starts work in a thread that goes on after the lease is lost, and would
bring the whole client into the pod. As in client-go a holder is believed by this process's own clock: a lease that was
not renewed for its duration since it was first seen so is free, whatever the holder's clock says. A guard that lost
its lease without noticing does no harm either: what it writes is decided on a version, and written once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sluice.errors import SluiceError
from sluice.rollout.cluster import MERGE_PATCH, Cluster, json_object

DURATION_SECONDS = 15
"""After so long without a renewal another may take it."""

DEADLINE_SECONDS = 10.0
"""After so long without a renewal the holder itself stops to act."""

RENEW_EVERY_SECONDS = 3.0


@dataclass(slots=True)
class Lease:
    """One candidate for the lease `name`. `identity` tells it from every other, restarts included."""

    cluster: Cluster
    namespace: str
    name: str
    identity: str
    clock: Callable[[], float] = time.monotonic
    heard_at: float | None = None
    """When the lease could last be read, by the clock; None before that."""
    _seen: tuple[str, str] = ("", "")
    _seen_at: float = field(default=0.0)
    _renewed_at: float | None = None
    asked_at: float | None = None
    """When it was last tried, by the clock."""

    @property
    def is_held(self) -> bool:
        """Whether this process may act."""
        return self._renewed_at is not None and self.clock() - self._renewed_at < DEADLINE_SECONDS

    def renew(self) -> bool:
        """Take or renew the lease where that is due; return whether it is held."""
        now = self.clock()
        if self.asked_at is None or now - self.asked_at >= RENEW_EVERY_SECONDS:
            self.asked_at = now
            with suppress(SluiceError):  # of an API server that is away; `is_held` says how long that may last
                self._try(now)
        return self.is_held

    def release(self) -> None:
        """Give the lease up, so that another need not wait for its end."""
        if not self.is_held:
            return
        self._renewed_at = None
        with suppress(SluiceError):  # it ends by itself
            found = json_object(self.cluster, self._path, "the lease cannot be read")
            if found.get("spec", {}).get("holderIdentity") == self.identity:
                self._write(found, {"holderIdentity": "", "renewTime": _moment()})

    def _try(self, now: float) -> None:
        found = json_object(self.cluster, self._path, "the lease cannot be read")
        self.heard_at = now
        spec = found.get("spec") or {}
        holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
        if (holder, renewed) != self._seen:
            self._seen, self._seen_at = (holder, renewed), now
        is_ours = holder == self.identity
        if holder and not is_ours and now - self._seen_at < float(spec.get("leaseDurationSeconds") or DURATION_SECONDS):
            self._renewed_at = None
            return
        wanted: dict[str, Any] = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": _moment(),
        }
        if not is_ours:
            wanted |= {
                "acquireTime": wanted["renewTime"],
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1,
            }
        # Counted from before the write: what the API server took long for is not believed longer.
        self._renewed_at = now if self._write(found, wanted) else None

    def _write(self, found: dict[str, Any], spec: dict[str, Any]) -> bool:
        version = found.get("metadata", {}).get("resourceVersion", "")
        patch = {"metadata": {"resourceVersion": version}, "spec": spec}
        answer = self.cluster.ask(
            "PATCH", self._path, patch, content_type=MERGE_PATCH, query={"fieldManager": self.name}
        )
        return answer.status == 200

    @property
    def _path(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{self.name}"


def _moment() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
