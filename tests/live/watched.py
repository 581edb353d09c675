"""An environment under load that a Prometheus measures, and what is turned, asked and noted there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sluice.deploy.pods import is_ready
from sluice.registry import load_environment
from sluice.rollout.guard.prometheus import Prometheus
from tests.live.guards import config_map
from tests.live.load import Call, Load
from tests.live.pager import Pager
from tests.live.project import AGENTS, NAMESPACE, STUB, LiveProject
from tests.live.waiting import until

USUAL = {"latency_ms": 40, "latency_jitter_ms": 10, "chunk_delay_ms": 2}


@dataclass
class Watched:
    """The environment under load, with its Prometheus and a pager."""

    project: LiveProject
    prometheus: Prometheus
    loads: Mapping[str, Load]
    """The load on each pod, by its name; one on all has none."""
    pager: Pager
    lines: list[str] = field(default_factory=list)

    def turn(self, agent: str, **dials: object) -> float:
        """Have the stub answer for the agent's candidate otherwise, and return when it began."""
        return self.turn_model(self.models[agent], **dials)

    def turn_model(self, model: str, **dials: object) -> float:
        """Have the stub answer for a model otherwise, by the provider's id of it, and return when it began."""
        body = json.dumps({**USUAL, **dials})
        ran = self.project.kubectl("replace", "--raw", f"{STUB}/models/{model}", "--filename", "-", stdin=body)
        assert ran.exit_code == 0, ran.stderr
        return time.monotonic()

    def turn_back(self) -> None:
        """Have every model answer well."""
        for model in load_environment(self.project.folder, "live").registry.models.values():
            self.turn_model(model.id)

    @property
    def models(self) -> dict[str, str]:
        """The provider's ids of the candidates, by agent."""
        declared = load_environment(self.project.folder, "live")
        return {agent: declared.registry.models[f"{agent}-20251031"].id for agent in AGENTS}

    def now(self, query: str) -> list[tuple[dict[str, str], float]]:
        return [(dict(labels), value) for labels, value in self.prometheus.now(query, datetime.now(UTC))]

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that would be told, by name and agent."""
        found = self.now('ALERTS{alertstate="firing", severity=~"critical|warning"}')
        return {(labels["alertname"], labels["agent"]) for labels, _ in found}

    def held(self) -> dict[str, str]:
        return config_map(self.project, "override")

    def resume(self, agents: Iterable[str], reason: str) -> None:
        """Lift overrides, of agents or of `all`, where there are any."""
        held = self.held()
        for agent in agents:
            if agent in held:
                named = [] if agent == "all" else [agent]
                ran = self.project.sluice("resume", "live", *named, "--reason", reason, "--force")
                assert ran.exit_code == 0, ran.stderr

    def ended(self, agent: str = "", since: float = 0.0) -> list[Call]:
        """The calls that began since then and have ended, of one agent or of all."""
        return [call for calls in self.on_each_pod(agent, since).values() for call in calls]

    def on_each_pod(self, agent: str = "", since: float = 0.0) -> dict[str, list[Call]]:
        """The same by the pod that they asked."""
        return {
            pod: [
                call for call in list(load.calls) if call.began >= since and call.seconds and agent in ("", call.agent)
            ]
            for pod, load in self.loads.items()
        }

    def scale(self, deployment: str, replicas: int) -> None:
        """Have so many pods of a Deployment, and wait until it is so."""
        ran = self.project.kubectl("scale", "deployment", deployment, f"--replicas={replicas}")
        assert ran.exit_code == 0, ran.stderr
        pods, name = f"/api/v1/namespaces/{NAMESPACE}/pods", f"app.kubernetes.io/name={deployment}"

        def are_there() -> bool:
            found = self.project.cluster.items(pods, labelSelector=name)
            return [is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in found] == [True] * replicas

        until(f"{deployment} has {replicas} pods", are_there)

    def say(self, line: str) -> None:
        self.lines.append(line)
