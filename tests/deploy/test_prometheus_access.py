"""An environment's Prometheus is reached where it is: by the API server's proxy, or at its address."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.deploy.cluster_access import ClusterAccess
from sluice.deploy.prometheus_access import NoPrometheus, match_of, prometheus_of
from sluice.local.folders import PROJECT
from sluice.registry import ExternalPrometheus, Settings, load_environment
from sluice.rollout.guard.loop import CannotSee
from tests.deploy.api_server import ApiServer
from tests.rollout.made_prometheus import MadePrometheus, serving

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSWER = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {"agent": "qa"}, "value": [1, "7"]}]},
}


def settings(url: str | None) -> Settings:
    dev = load_environment(PROJECT, "dev").settings
    return replace(dev, prometheus=None if url is None else ExternalPrometheus(url, 'namespace="sluice-dev"'))


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("http://prometheus:9090", "sluice-dev/services/prometheus:9090/proxy"),
        ("http://prometheus-operated.monitoring.svc:9090", "monitoring/services/prometheus-operated:9090/proxy"),
        ("http://a.b.svc.cluster.local/prom", "b/services/a:80/proxy/prom"),
        ("https://a.b.svc", "b/services/https:a:443/proxy"),
    ],
)
def test_one_behind_a_service_is_asked_by_the_api_servers_proxy(
    api: ApiServer, access: ClusterAccess, url: str, proxied: str
) -> None:
    api.put(f"/api/v1/namespaces/{proxied}/api/v1/query", ANSWER, query={"query": "up"})

    assert prometheus_of(access, settings(url)).now("up", NOW) == [({"agent": "qa"}, 7.0)]


@pytest.mark.parametrize("named_by", ["the settings", "the person"])
def test_one_at_an_address_is_asked_there(access: ClusterAccess, named_by: str) -> None:
    with serving(MadePrometheus()) as made:
        made.answer = 200, json.dumps(ANSWER)
        elsewhere = made.url if named_by == "the settings" else "http://prometheus:9090"
        one = prometheus_of(access, settings(elsewhere), f"{made.url}/" if named_by == "the person" else None)

        assert one.now("up", NOW) == [({"agent": "qa"}, 7.0)]


def test_what_the_proxy_says_in_place_of_prometheus_is_told(api: ApiServer, access: ClusterAccess) -> None:
    with pytest.raises(CannotSee, match="answers 404: the server could not find it; the query was up"):
        prometheus_of(access, settings("http://prometheus:9090")).now("up", NOW)


def test_a_cluster_that_does_not_answer_is_nothing_seen(api: ApiServer, tmp_path: Path) -> None:
    nowhere = ClusterAccess(api.kubeconfig(tmp_path / "kubeconfig"), "nowhere")
    asked = prometheus_of(nowhere, settings("http://prometheus:9090"))

    with pytest.raises(CannotSee, match="does not answer"):
        asked.now("up", NOW)


def test_where_nobody_names_one_the_person_hears_what_to_set(access: ClusterAccess) -> None:
    with pytest.raises(NoPrometheus, match=r"Pulumi\.dev\.yaml: config\.sluice:prometheus: there is none to ask"):
        prometheus_of(access, settings(None))


def test_queries_are_narrowed_down_as_the_settings_say_and_else_to_the_namespace() -> None:
    assert match_of(replace(settings(None), prometheus=ExternalPrometheus("http://a", 'env="x"'))) == 'env="x"'
    assert match_of(settings(None)) == 'namespace="sluice-dev"'


@pytest.mark.parametrize(
    "series",
    [{"metric": {}, "value": ["x"]}, {"metric": {}}, {"metric": 3, "value": [1, "2"]}, {"value": [1, "2"]}, "series"],
)
def test_an_answer_of_another_form_is_nothing_seen(access: ClusterAccess, series: object) -> None:
    with serving(MadePrometheus()) as made:
        made.answer = 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": [series]}})

        with pytest.raises(CannotSee, match="what it says is no answer of Prometheus; the query was up"):
            prometheus_of(access, settings(made.url)).now("up", NOW)


def test_an_answer_of_another_type_is_nothing_seen(access: ClusterAccess) -> None:
    with serving(MadePrometheus()) as made:
        made.answer = 200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})

        with pytest.raises(CannotSee, match="answers 200: what it says is no answer of Prometheus"):
            prometheus_of(access, settings(made.url)).now("up", NOW)
