"""The exercise of a soak: everybody to the baseline and back, and no override left, whatever happens."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, cast

import pytest

from sluice.deploy.ask import Reply
from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.soak import CannotSoak
from sluice.deploy.soak_exercise import Exercise, gateway_digest
from sluice.local.folders import PROJECT
from sluice.override import Override
from sluice.registry import AgentRollout, Environment, load_environment
from sluice.rollout.effect import Clock
from sluice.rollout.guard.prometheus import Prometheus
from sluice.rollout.override_map import ChangedMeanwhile
from sluice.rollout.soak import BY
from tests.rollout.made_cluster import NAMESPACE, MadeAnswer, MadeClock, MadeCluster, MadePod, said

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DIGEST = f"sha256:{'b' * 64}"


class Access(MadeCluster):
    """A made cluster as a person's kubeconfig reaches it, with pods that are ready."""

    def items(self, path: str, **_: str) -> Any:
        found = json.loads(self.ask("GET", path).body)["items"]
        for item in found:
            item["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
            item["spec"] = {"containers": [{"name": "gateway", "image": f"made/gateway@{DIGEST}"}]}
        return found

    def text(self, path: str, **_: str) -> str:
        return self.ask("GET", path).body.decode()


class Alerts:
    """A Prometheus in which the alert fires while the override holds."""

    def __init__(self, cluster: Access) -> None:
        self.cluster = cluster

    def now(self, query: str, _at: object) -> list[tuple[Mapping[str, str], float]]:
        assert 'alertname="SluiceOverrideActive"' in query
        return [({}, 1.0)] if self.cluster.override else []


def healthy(method: str, path: str) -> MadeAnswer | None:
    return said(200, {}) if path.endswith(("/proxy/healthz", "/proxy/readyz")) else None


@pytest.fixture(scope="module")
def staging() -> Environment:
    declared = load_environment(PROJECT, "dev")
    qa = AgentRollout("qa", "qa-20251031", 100, date(2025, 11, 6), ("gpt-4o",))
    none = {name: AgentRollout(name, None, 0, None, ("gpt-4o",)) for name in declared.registry.agents}
    rollout = dataclasses.replace(declared.rollout, agents=MappingProxyType({**none, "qa": qa}))
    settings = dataclasses.replace(declared.settings, namespace=NAMESPACE)
    return dataclasses.replace(declared, rollout=rollout, settings=settings)


def exercise(staging: Environment, cluster: Access, **others: Any) -> Exercise:
    def ask(agent: str, text: str, user: str) -> Reply:
        arm = "baseline" if cluster.overrides.allowed_percent(agent) == 0 else "candidate"
        return Reply(agent, user, arm, "m", "Here I am.", 100.0, 0.001)

    clock = MadeClock()
    usual: dict[str, Any] = {"ask": ask, "prometheus": cast("Prometheus", Alerts(cluster))}
    usual |= {"clock": Clock(lambda: clock.at, clock.sleep)}
    return Exercise(cast("ClusterAccess", cluster), staging, ("qa",), **(usual | others))


def made(staging: Environment) -> Access:
    weights = {name: staging.rollout.wanted_weight_percent(name) for name in staging.registry.agents}
    return Access(weights=weights, fault=healthy)


def test_everybody_goes_to_the_baseline_and_back_and_the_alert_fires_and_ends(staging: Environment) -> None:
    cluster = made(staging)

    found = exercise(staging, cluster).run()

    assert (found.rollback, found.health_checks, found.alerts) == (True, True, True)
    assert cluster.override == {}
    assert "2 of 2 pods served the baseline after" in found.said[1]
    assert found.said[2:] == (
        "SluiceOverrideActive fires",
        "candidates are served again",
        "SluiceOverrideActive has ended",
    )
    assert json.loads(cluster.annotations["sluice/lifted"])[0]["by"] == BY


def test_a_pod_that_does_not_hear_shows(staging: Environment) -> None:
    cluster = made(staging)
    cluster.pods["gateway-b"] = MadePod(hears=False)

    found = exercise(staging, cluster).run()

    assert found.rollback is False
    assert cluster.override == {}


def test_without_a_prometheus_no_alert_was_seen(staging: Environment) -> None:
    found = exercise(staging, made(staging), prometheus=None).run()

    assert (found.rollback, found.alerts) == (True, False)
    assert "no Prometheus was asked, so no alert was seen" in found.said


def test_an_alert_that_fires_already_was_not_seen_to_begin(staging: Environment) -> None:
    class Always:
        def now(self, *_: object) -> list[tuple[Mapping[str, str], float]]:
            return [({}, 1.0)]

    found = exercise(staging, made(staging), prometheus=cast("Prometheus", Always())).run()

    assert (found.rollback, found.alerts) == (True, False)
    assert "fires already" in found.said[1]


def test_whoever_interrupts_leaves_no_override(staging: Environment) -> None:
    cluster = made(staging)

    def interrupted(*_: str) -> Reply:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercise(staging, cluster, ask=interrupted).run()
    assert cluster.override == {}


def test_an_override_that_somebody_sets_during_the_exercise_is_left_and_said(staging: Environment) -> None:
    cluster = made(staging)
    ours = Override(0, "ada", "the provider is away")

    def set_by_hand(agent: str, *_: str) -> Reply:
        cluster.override = {"all": ours.text}
        return Reply(agent, "u", "baseline", "m", "Here I am.", 100.0, 0.001)

    with pytest.raises(ChangedMeanwhile, match="of all was changed meanwhile, by ada: the provider is away"):
        exercise(staging, cluster, ask=set_by_hand).run()
    assert cluster.overrides.entries == {"all": ours}


def test_what_a_killed_soak_left_is_lifted_and_anybody_elses_override_refuses(staging: Environment) -> None:
    cluster = made(staging)
    cluster.override = {"all": json.dumps({"weight": 0, "by": BY, "reason": "r"})}
    exercise(staging, cluster).tidy()
    assert cluster.override == {}

    cluster.override = {"qa": json.dumps({"weight": 0, "by": "guard", "reason": "r"})}
    with pytest.raises(CannotSoak, match="override: qa is held at 0 % by guard: resume it first"):
        exercise(staging, cluster).tidy()
    assert cluster.override


def test_the_gateways_image_is_the_one_that_its_pods_run(staging: Environment) -> None:
    cluster = made(staging)
    assert gateway_digest(cast("ClusterAccess", cluster), NAMESPACE) == DIGEST

    cluster.pods.clear()
    with pytest.raises(CannotSoak, match="do not run one image with a digest"):
        gateway_digest(cast("ClusterAccess", cluster), NAMESPACE)


def test_an_override_that_another_candidate_ended_is_left_and_in_nobodys_way(staging: Environment) -> None:
    cluster = made(staging)
    ended = Override(0, "guard", "errors", candidate="qa-0")
    cluster.override = {"qa": ended.text, "all": Override(0, BY).text}

    exercise(staging, cluster).tidy()

    assert cluster.overrides.entries == {"qa": ended}
