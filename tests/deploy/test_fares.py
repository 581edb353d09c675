"""How agents fare, from a Prometheus of made counters and an API server of made objects."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.fares import Faring
from sluice.local.folders import PROJECT
from sluice.registry import Environment, load_environment
from sluice.rollout import Action, Gate
from tests.deploy.api_server import ApiServer
from tests.rollout.made_prometheus import MadePrometheus, serving

pytestmark = pytest.mark.slow

NOW = datetime(2025, 11, 7, 18, tzinfo=UTC)
GOOD = {"candidate": {"ok": 5}, "baseline": {"ok": 5}}
OVERRIDE = "/api/v1/namespaces/sluice-dev/configmaps/override"


@pytest.fixture
def dev() -> Environment:
    declared = load_environment(PROJECT, "dev")
    qa = dataclasses.replace(declared.rollout.agents["qa"], since=NOW.date())
    nobody = dataclasses.replace(declared.rollout.agents["legal"], candidate=None, weight_percent=0)
    agents = MappingProxyType({"qa": qa, "legal": nobody})
    return dataclasses.replace(declared, rollout=dataclasses.replace(declared.rollout, agents=agents))


@pytest.fixture
def prometheus() -> Iterator[MadePrometheus]:
    with serving(MadePrometheus(environment={"namespace": "sluice-dev"})) as made:
        began = NOW - timedelta(hours=6)
        users = {"candidate": (1, 0), "baseline": (1, 0)}
        made.traffic("qa", 50, began, NOW, each_scrape=GOOD, users=users)
        made.traffic("legal", 0, began, NOW, each_scrape={"baseline": {"ok": 2, "error": 2}})
        made.set("sluice_spend_dollars", NOW, 1.5, agent="all", window="month", models="fine_tuned")
        yield made


def test_each_agent_is_measured_and_those_with_a_candidate_are_judged(
    access: ClusterAccess, dev: Environment, prometheus: MadePrometheus
) -> None:
    fares = Faring(access, prometheus.url).look(dev, NOW)

    qa, legal = fares.agents["qa"], fares.agents["legal"]
    assert fares.why_not == ""
    assert fares.month_dollars == 1.5
    assert qa.candidate.requests == qa.baseline.requests == pytest.approx(6 * 240 * 5, rel=0.05)
    assert qa.record is not None
    assert qa.outlook is not None
    assert Gate.TIME in {wait.gate for wait in qa.outlook.waits}
    assert (legal.record, legal.outlook) == (None, None)
    assert legal.baseline.failed == pytest.approx(6 * 240 * 2, rel=0.05)
    assert legal.window == timedelta(days=1)


def test_an_agent_that_was_rolled_back_waits_for_a_person(
    access: ClusterAccess, api: ApiServer, dev: Environment, prometheus: MadePrometheus
) -> None:
    entry = json.dumps({"weight": 0, "by": "guard", "reason": "errors", "at": "2025-11-07T17:00:00Z"})
    api.put(OVERRIDE, {"metadata": {"resourceVersion": "1"}, "data": {"qa": entry}})

    record = Faring(access, prometheus.url).look(dev, NOW).agents["qa"].record

    assert record is not None
    assert record.verdict.action is Action.HOLD
    assert "was rolled back at 2025-11-07 17:00 by guard: errors" in record.verdict.why[0].text


def test_a_prometheus_that_is_away_is_said(access: ClusterAccess, dev: Environment) -> None:
    fares = Faring(access, "http://127.0.0.1:9").look(dev, NOW)

    assert "does not answer" in fares.why_not
    assert fares.is_named
    assert not fares.agents


def test_where_no_prometheus_is_named_that_is_said(access: ClusterAccess, dev: Environment) -> None:
    nowhere = dataclasses.replace(dev, settings=dataclasses.replace(dev.settings, prometheus=None))

    fares = Faring(access).look(nowhere, NOW)

    assert "there is none to ask" in fares.why_not
    assert not fares.is_named
