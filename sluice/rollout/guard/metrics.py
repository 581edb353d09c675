"""What the guard says of itself, to whoever collects metrics. Labels come from the registry and from short lists."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, disable_created_metrics

STAGES = ("cluster", "measure", "override", "event", "facts")
"""Where a round can fail."""


class GuardMetrics:
    """The metrics of one guard."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.leader = Gauge("sluice_guard_leader", "1 while this guard is the one that acts.", registry=self.registry)
        self.heartbeat = Gauge(
            "sluice_guard_heartbeat_timestamp_seconds",
            "When the guard that acts last ended a round; 0 where it never did.",
            registry=self.registry,
        )
        self.sees = Gauge(
            "sluice_guard_prometheus_up",
            "1 while Prometheus answers the guard that acts; while it is 0 nothing moves.",
            registry=self.registry,
        )
        self.rollbacks = Counter(
            "sluice_guard_rollbacks",
            "Overrides that this guard has set, by agent or all.",
            ["agent"],
            registry=self.registry,
        )
        self.failures = Counter(
            "sluice_guard_failures",
            "What this guard tried and could not do, by stage.",
            ["stage"],
            registry=self.registry,
        )
        self._rolled_back = Gauge(
            "sluice_guard_rolled_back",
            "1 while an override that a guard set holds, by agent or all.",
            ["agent"],
            registry=self.registry,
        )
        self._verdict = Gauge(
            "sluice_guard_verdict",
            "1 for what the gates last said of an agent that has users on its candidate.",
            ["agent", "action"],
            registry=self.registry,
        )
        for stage in STAGES:
            self.failures.labels(stage)

    def rolled_back(self, keys: Iterable[str]) -> None:
        """Say which agents a guard's override holds."""
        self._rolled_back.clear()
        for key in keys:
            self._rolled_back.labels(key).set(1)

    def verdicts(self, actions: Iterable[tuple[str, str]]) -> None:
        """Say what the gates said, agent by agent."""
        self._verdict.clear()
        for agent, action in actions:
            self._verdict.labels(agent, action).set(1)
