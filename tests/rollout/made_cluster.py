"""An API server in memory: ConfigMaps with versions, pods with pages of metrics, and a real one's ways to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sluice.errors import SluiceError
from sluice.override import Overrides, read_overrides

NAMESPACE = "sluice-made"
_CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps/"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/made"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_MOST_ANNOTATION_BYTES = 256 * 1024


class NoAnswer(SluiceError):
    """The connection broke."""


@dataclass(frozen=True, slots=True)
class MadeAnswer:
    status: int
    body: bytes


@dataclass
class MadePod:
    """A gateway pod: `hears` is whether it obeys the override; counts are those of its page."""

    hears: bool = True
    answers: bool = True
    ends: bool = False
    counts: dict[str, float] = field(default_factory=dict)

    def count(self, agent: str, arm: str, outcome: str = "ok", *, times: int = 1, seconds: float = 0.1) -> None:
        name = f'sluice_requests_total{{agent="{agent}",arm="{arm}",outcome="{outcome}"}}'
        self.counts[name] = self.counts.get(name, 0) + times
        for edge in (0.25, 5.0, 15.0, float("inf")):
            if seconds <= edge:
                shown = "+Inf" if edge == float("inf") else str(edge)
                name = f'sluice_request_duration_seconds_bucket{{agent="{agent}",arm="{arm}",le="{shown}"}}'
                self.counts[name] = self.counts.get(name, 0) + times


@dataclass
class MadeCluster:
    """`fault` is asked about each request first, and may answer in its place or raise."""

    weights: dict[str, int] = field(default_factory=lambda: {"qa": 50, "legal": 10})
    more_weights: dict[str, int] = field(default_factory=dict)
    """Of agents that stand in a second ConfigMap of flags."""
    candidates: dict[str, str] = field(default_factory=dict)
    override: dict[str, str] | None = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    pods: dict[str, MadePod] = field(default_factory=lambda: {"gateway-a": MadePod(), "gateway-b": MadePod()})
    facts: dict[str, str] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    lease: dict[str, Any] = field(default_factory=dict)
    version: int = 100
    fault: Callable[[str, str], MadeAnswer | None] = lambda method, path: None
    before_patch: Callable[[], None] = lambda: None
    requests: list[tuple[str, str, object, Mapping[str, str]]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def overrides(self) -> Overrides:
        return read_overrides(self.override or {})

    def candidate(self, agent: str) -> str:
        return self.candidates.get(agent, f"{agent}-1")

    @property
    def writes(self) -> int:
        return sum(method == "PATCH" for method, *_ in self.requests)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        timeout_seconds: float = 5.0,
        query: Mapping[str, str] | None = None,
    ) -> MadeAnswer:
        if method == "PATCH":
            self.before_patch()
        with self.lock:
            self.requests.append((method, path, body, dict(query or {})))
            faulty = self.fault(method, path)
            return faulty if faulty is not None else self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: object) -> MadeAnswer:
        if path == f"{_CONFIG_MAPS}flags":
            return said(200, {"data": {"flags.json": json.dumps({"flags": self._flags(self.weights)})}})
        if path == f"{_CONFIG_MAPS}flags-1" and self.more_weights:
            return said(200, {"data": {"flags-1.json": json.dumps({"flags": self._flags(self.more_weights)})}})
        if path == f"{_CONFIG_MAPS}override" and self.override is not None:
            return self._patch(body) if method == "PATCH" else said(200, self._config_map())
        if path == f"{_CONFIG_MAPS}rollbacks":
            if method == "PATCH":
                _merge(self.facts, cast("Any", body)["data"])
            return said(200, {"metadata": {"name": "rollbacks"}, "data": self.facts})
        if path == LEASE:
            return self._patch_lease(body) if method == "PATCH" else said(200, self._lease())
        if path == f"/api/v1/namespaces/{NAMESPACE}/events":
            return self._note(cast("Any", body))
        if path == _PODS:
            return said(200, {"items": [_pod(name, pod) for name, pod in self.pods.items()]})
        name = path.removeprefix(f"{_PODS}/").partition(":")[0]
        if name in self.pods and self.pods[name].answers:
            return MadeAnswer(200, self._page(self.pods[name]).encode())
        return said(404, {"message": "there is none"})

    def _flags(self, weights: Mapping[str, int]) -> dict[str, Any]:
        return {
            agent: {
                "state": "ENABLED",
                "metadata": {"weight": weight, "candidate": self.candidate(agent)},
            }
            for agent, weight in weights.items()
        }

    def _config_map(self) -> dict[str, Any]:
        metadata = {"name": "override", "resourceVersion": str(self.version), "annotations": self.annotations}
        return {"metadata": metadata, "data": dict(self.override or {})}

    def _patch(self, body: Any) -> MadeAnswer:
        assert self.override is not None
        given = body.get("metadata", {})
        if given.get("resourceVersion", str(self.version)) != str(self.version):
            return said(409, {"message": "the object has been modified"})
        annotations = self.annotations | given.get("annotations", {})
        if sum(len(f"{key}{value}".encode()) for key, value in annotations.items()) > _MOST_ANNOTATION_BYTES:
            return said(422, {"message": "metadata.annotations: Too long: may not be more than 262144 bytes"})
        _merge(self.override, body.get("data", {}))
        self.annotations.update(given.get("annotations", {}))
        self.version += 1
        return said(200, self._config_map())

    def _note(self, event: Any) -> MadeAnswer:
        name = event["metadata"]["name"]
        if name in self.events:
            return said(409, {"message": f'events "{name}" already exists'})
        self.events[name] = event
        return said(201, event)

    def _lease(self) -> dict[str, Any]:
        return {"metadata": {"name": "made", "resourceVersion": str(self.version)}, "spec": self.lease}

    def _patch_lease(self, body: Any) -> MadeAnswer:
        if body["metadata"]["resourceVersion"] != str(self.version):
            return said(409, {"message": "the object has been modified"})
        self.lease |= body["spec"]
        self.version += 1
        return said(200, self._lease())

    def _page(self, pod: MadePod) -> str:
        lines = ["# HELP made"]
        for agent, wanted in self.weights.items():
            allowed = self.overrides.allowed_percent(agent, self.candidate(agent)) if pod.hears else 100
            for kind, weight in (("wanted", wanted), ("allowed", allowed), ("served", min(wanted, allowed))):
                lines.append(f'sluice_rollout_weight{{agent="{agent}",kind="{kind}"}} {float(weight)}')
            lines.append(f'sluice_threshold{{agent="{agent}",name="error_rate_rollback_percent"}} 5.0')
            lines.append(f'sluice_threshold{{agent="{agent}",name="p95_rollback_seconds"}} 10.0')
        lines += [f"{name} {value}" for name, value in pod.counts.items()]
        return "\n".join(lines) + "\n"


def _merge(data: dict[str, str], patch: Mapping[str, str | None]) -> None:
    for key, value in patch.items():
        if value is None:
            data.pop(key, None)
        else:
            data[key] = value


def said(status: int, body: object) -> MadeAnswer:
    return MadeAnswer(status, json.dumps(body).encode())


def _pod(name: str, pod: MadePod) -> dict[str, Any]:
    metadata = {"name": name, **({"deletionTimestamp": "now"} if pod.ends else {})}
    return {"metadata": metadata, "status": {"phase": "Running"}}


@dataclass
class MadeClock:
    """Time that passes when somebody sleeps; `on_sleep` is what happens meanwhile."""

    at: float = 1000.0
    on_sleep: Callable[[float], None] = lambda at: None

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.on_sleep(self.at)
