"""The guard's court over a made Prometheus: one agent at 10 %, and what each scrape of it may bring."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from sluice.registry import load_registry
from sluice.registry.building import registry_of_sections, sections_of
from sluice.rollout.guard.gates_court import GatesCourt
from sluice.rollout.guard.loop import Watched
from sluice.rollout.guard.measuring import Measuring
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.wanted import read_wanted
from tests.rollout.made_cluster import NAMESPACE, MadeCluster
from tests.rollout.made_prometheus import MadePrometheus

PROJECT = Path(__file__).parent.parent.parent
REGISTRY = registry_of_sections(json.loads(json.dumps(sections_of(load_registry(PROJECT / "registry")))), {})
MATCH = 'namespace="sluice-made"'
START = datetime(2026, 11, 21, 10, tzinfo=UTC)
QA = Watched("qa", "qa-20251031", 10)
GOOD = {"candidate": {"ok": 2}, "baseline": {"ok": 18}}
FAILING = {"candidate": {"fallback": 2}, "baseline": {"ok": 18}}
BOTH_FAILING = {"candidate": {"error": 2}, "baseline": {"error": 18}}


def cluster() -> MadeCluster:
    return MadeCluster(weights={"qa": 10}, candidates={"qa": "qa-20251031"})


def measuring(prometheus: MadePrometheus) -> Measuring:
    return Measuring(Prometheus(prometheus.url), MATCH)


def court(prometheus: MadePrometheus, of: MadeCluster | None = None) -> GatesCourt:
    made = of or cluster()
    return GatesCourt("made", REGISTRY, measuring(prometheus), lambda: read_wanted(made, NAMESPACE))
