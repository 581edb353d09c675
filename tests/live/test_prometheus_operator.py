"""A cluster's own watch: prometheus-operator makes a Prometheus and an Alertmanager of what `sluice up` brings there.

Gateway and guard are found by the PodMonitor, rules and routes are loaded as they are rendered. Then their durations
are divided by 30, through the same objects: a healthy hour of two minutes tells nobody, and real faults are told,
paged, held back and over as rules and routes say. What each took is printed; docs/paging.md has every alert, by a clock
that no machine slows down.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import pytest
import yaml

from sluice.deploy.prometheus_access import prometheus_of
from sluice.local.cluster.layout import NODE_ADDRESS
from sluice.local.folders import PROJECT
from sluice.registry import Settings, load_environment
from sluice.render.alerts import alerts, rule_groups
from sluice.render.alerts.panels import Panel
from sluice.render.dashboards import queries
from sluice.render.dashboards.operations import OPERATIONS_DASHBOARD
from tests.live.dashboard_pictures import picture, traces
from tests.live.guards import leader
from tests.live.load import Load
from tests.live.operated import FOUND_BY, PROMETHEUS_URL, Operated, milliseconds, operating, routing
from tests.live.pager import Pager, listening
from tests.live.project import AGENTS, NAMESPACE, STUB, URL, LiveProject, edit
from tests.live.shown import shown
from tests.live.waiting import until
from tests.live.watched import Watched
from tests.rules.compressed import faster_routes, faster_rules

pytestmark = pytest.mark.operators

TIMES: Final = 30
HOUR_SECONDS: Final = 3600 // TIMES
SCRAPED: Final = "2s"
"""A minute, and not a second for the rendered half: a pod of a busy machine that does not answer by then is gone."""
CALLS_A_SECOND: Final = 10.0
NO_IMAGE: Final = f"@sha256:{'0' * 64}"
ROUTING_KEY: Final = "made-routing-key"
LIVE_PICTURES: Final = PROJECT / "docs" / "pictures" / "live"
DRAWN: Final = timedelta(minutes=15)
EMPTY_HERE: Final = {
    ("CERTIFICATES", "{{name}}"): "there is no Ingress",
    ("LATENCY", "{{arm}} P99"): "it wants a hundred answers of each arm",
    ("MODEL_FAILURES", "answer: {{error_type}}"): "no model fails where nothing is made to",
}
"""The questions of panels that may have no answer, by panel and legend, and why."""
SECOND_BASELINE: Final = "claude-sonnet-4"
FAULTS: Final = (
    ("analyst", "SluiceErrorRateHigh", "every model of it fails", True),
    ("all", "SluiceGuardAbsent", "the guard is gone", True),
    ("all", "SluiceStoreDown", "Redis is gone", False),
    ("qa", "SluiceBreakerOpen", "its candidate fails", False),
    ("qa", "SluiceFallbackShareHigh", "its candidate fails", False),
    ("legal", "SluiceLatencyCritical", "its candidate takes 14 s", True),
    ("content", "SluiceQualityDropCritical", "its candidate is worth 1 of 10", True),
    ("support", "SluiceQualityDropCritical", "its candidate is worth 1 of 10", True),
)
"""Whose alert, which, what the fault is, and whether somebody is woken."""


@pytest.fixture(scope="module")
def pager(project: LiveProject) -> Iterator[Pager]:
    with listening(NODE_ADDRESS) as one:
        yield one


@pytest.fixture(scope="module")
def settings(project: LiveProject) -> Iterator[Settings]:
    """The environment's, as a cluster with prometheus-operator has them."""
    file, rollout = project.folder / "Pulumi.live.yaml", project.folder / "registry/rollouts/live.yaml"
    before = file.read_text()
    wanted = (
        f"  sluice:monitoring: {{by: operator, labels: {json.dumps(FOUND_BY)}}}\n"
        f"  sluice:prometheus: {{url: '{PROMETHEUS_URL}'}}\n"
        f"  sluice:guard: {{image: 'sluice.local/guard{NO_IMAGE}'}}"
    )
    edit(file, r"  sluice:cache:", f"{wanted}\n  sluice:cache:")
    project.roll_out(dict.fromkeys(AGENTS, 50))
    # One agent stands on a baseline that the others fall back to last, so that it alone can lose all its models.
    edit(rollout, r"analyst: \{", f"analyst: {{baseline: [{SECOND_BASELINE}], ")
    yield load_environment(project.folder, "live").settings
    file.write_text(before)


@pytest.fixture(scope="module")
def routes(project: LiveProject, settings: Settings, pager: Pager, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Alertmanager's configuration as it is rendered, but for where PagerDuty is."""
    folder = tmp_path_factory.mktemp("routes")
    ran = project.sluice("render", "live", "--out", str(folder / "out"), "--alertmanager", str(folder / "routes"))
    assert ran.exit_code == 0, ran.stderr
    rendered = yaml.safe_load((folder / "routes").read_text())
    rendered["global"]["pagerduty_url"] = f"http://{NODE_ADDRESS}:{pager.port}/v2/enqueue"
    return rendered


@pytest.fixture(scope="module")
def operated(
    project: LiveProject, routes: dict[str, Any], pager: Pager, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operated]:
    keys = {"pagerduty-routing-key": ROUTING_KEY, "slack-webhook": f"http://{NODE_ADDRESS}:{pager.port}/slack"}
    with operating(project, routes, keys, tmp_path_factory.mktemp("operator") / "log") as one:
        yield one


@pytest.fixture(scope="module")
def watched(
    project: LiveProject, operated: Operated, settings: Settings, pager: Pager, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """The environment, brought there by `sluice up`, with a load on every agent."""
    project.up()
    until("a guard leads", lambda: leader(project))
    with Load(URL, AGENTS, calls_a_second=CALLS_A_SECOND) as load:
        one = Watched(project, prometheus_of(project.cluster, settings), {"": load}, pager)
        one.turn_back()
        until("Prometheus answers", lambda: operated.of_prometheus("targets"))
        yield one
    one.say(f"told of in all: {', '.join(sorted(pager.alerts()))}")
    one.say(f"in all {len(load.calls)} calls, {len(load.failed)} failed: {load.counts()}")
    with shown(request.config):
        print("\n" + "\n".join(one.lines))
    project.kubectl("delete", "--raw", f"{STUB}/models")
    for wanted in ("monitoring", "prometheus", "guard"):
        edit(project.folder / "Pulumi.live.yaml", rf"(?m)^  sluice:{wanted}:.*\n", "")
    # While the operator's kinds are there: Pulumi deletes what it has of them.
    project.end_guard()
    project.kubectl("rollout", "restart", "deployment/cache")  # it keeps the worst answers, for other tests to find
    project.kubectl("rollout", "status", "deployment/cache", "--timeout=55s")


@pytest.fixture(scope="module")
def faster(watched: Watched, operated: Operated, settings: Settings, routes: dict[str, Any]) -> None:
    """All durations a thirtieth of what they are, brought by the same objects to the pods that run."""
    pods = operated.pods()
    rendered = {item.kind: json.loads(json.dumps(item.body)) for item in alerts(settings)}
    rendered["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["interval"] = SCRAPED
    rendered["PrometheusRule"]["spec"]["groups"] = faster_rules(rule_groups(settings), TIMES)
    wanted = faster_routes(routes, TIMES)
    operated.apply(rendered["PodMonitor"], rendered["PrometheusRule"], force=True)
    operated.routes(wanted)

    def taken() -> bool:
        scraping = yaml.safe_load((operated.of_prometheus("status/config") or {"yaml": "{}"})["yaml"])
        intervals = {one.get("scrape_interval") for one in scraping.get("scrape_configs", [])}
        held = {rule["duration"] for rule in operated.rules() if rule["name"] == "SluiceErrorRateHigh"}
        if intervals == {SCRAPED} and held == {120 / TIMES} and operated.routed() == routing(wanted):
            return True
        operated.remount()
        time.sleep(2)
        return False

    until("the pods have taken over what was changed", taken)
    assert operated.pods() == pods, "and are the same"


def test_the_operator_makes_pods_of_both(operated: Operated, watched: Watched) -> None:
    wanted = {("Available", "True"), ("Reconciled", "True")}
    until("the operator's Prometheus is there", lambda: operated.conditions("prometheus").items() >= wanted)
    until("the operator's Alertmanager is there", lambda: operated.conditions("alertmanager").items() >= wanted)

    assert set(operated.pods()) == {"prometheus-made-0", "alertmanager-made-0"}


def test_prometheus_scrapes_gateway_and_guard_by_their_podmonitor(operated: Operated, watched: Watched) -> None:
    def scraped() -> set[tuple[str, str]]:
        targets = (operated.of_prometheus("targets") or {"activeTargets": []})["activeTargets"]
        return {(one["scrapePool"], one["labels"]["container"]) for one in targets if one["health"] == "up"}

    job = f"podMonitor/{NAMESPACE}/sluice/0"
    until("both are scraped", lambda: scraped() == {(job, "gateway"), (job, "sluice-guard")})
    until(
        "with the labels that rules go by",
        lambda: len(watched.now(f'up{{namespace="{NAMESPACE}", pod!=""}} == 1')) == 2,
    )


def test_it_has_every_rule_as_it_is_rendered(operated: Operated, watched: Watched, settings: Settings) -> None:
    def said(group: dict[str, Any], rule: dict[str, Any]) -> str:
        name = rule.get("name") or rule.get("alert") or rule["record"]
        return json.dumps([group["name"], name, rule["labels"], rule.get("annotations")], sort_keys=True)

    def all_said(groups: list[dict[str, Any]]) -> list[str]:
        return sorted(said(group, rule) for group in groups for rule in group["rules"])

    rendered = rule_groups(settings)
    taken: dict[str, dict[str, Any]] = {}
    written: dict[str, str | None] = {}

    def are_taken() -> bool:
        groups = operated.groups()
        taken.update({group["name"]: group for group in groups})
        return all_said(groups) == all_said(rendered)

    def is_written(expression: str) -> bool:
        """By Prometheus itself, which need not keep how an expression is wrapped and its durations are said."""
        written[expression] = operated.formatted(expression)
        return written[expression] is not None

    until("it has the rules", are_taken)
    for group in rendered:
        there = taken[group["name"]]
        assert 1000 * there["interval"] == milliseconds(group["interval"])
        for rule, loaded in zip(group["rules"], there["rules"], strict=True):
            for expression in (rule["expr"], loaded["query"]):
                until(f"it writes {expression}", partial(is_written, expression))
            assert written[loaded["query"]] == written[rule["expr"]], loaded["name"]
            assert 1000 * loaded.get("duration", 0) == milliseconds(rule.get("for", "0s")), loaded["name"]


def test_alertmanager_has_the_routes_as_they_are_rendered_and_is_known(
    operated: Operated, routes: dict[str, Any]
) -> None:
    until("it has its routes", lambda: operated.routed() == routing(routes))
    until("Prometheus has found it", lambda: (operated.of_prometheus("alertmanagers") or {}).get("activeAlertmanagers"))


def test_guard_and_status_read_it(watched: Watched) -> None:
    until("the guard sees by it", lambda: watched.now("max(sluice_guard_prometheus_up)") == [({}, 1.0)])
    until("it has counted answers", lambda: watched.now("sluice:answers:increase5m > 0"))
    ran = watched.project.sluice("status", "live", "--format", "json")

    assert json.loads(ran.stdout)["measured"], ran.stdout


def test_a_healthy_hour_is_silent(watched: Watched, operated: Operated, faster: None) -> None:
    # Where a machine stands still for ten seconds, five minutes here, pods are gone for Prometheus: no healthy hour.
    seen = f"min(count_over_time((max_over_time(up[10s]) == 1)[{HOUR_SECONDS}s:5s]))"
    for _ in range(3):
        before = len(watched.pager.messages)
        time.sleep(HOUR_SECONDS)
        if watched.now(seen)[0][1] >= HOUR_SECONDS // 5:
            break
    else:
        pytest.fail("this machine stood still in each of three hours")

    assert watched.pager.messages[before:] == [], watched.pager.said()
    assert watched.firing() == set()
    assert [f"{rule['name']}: {rule.get('lastError')}" for rule in operated.rules() if rule["health"] != "ok"] == []
    calls = watched.ended()
    assert [str(call) for call in calls if call.fault] == []
    counted = {labels["arm"]: value for labels, value in watched.now("sum by (arm) (sluice:answers:increase1h)")}
    assert min(counted["candidate"], counted["baseline"]) > 300
    watched.say(f"a healthy hour in {HOUR_SECONDS} s: {len(calls)} calls, none failed, nobody told")


def test_every_fault_is_told_and_what_matters_is_paged(watched: Watched, operated: Operated, faster: None) -> None:
    watched.scale("sluice-guard", 0)  # it would send each of them back before anybody is told
    watched.scale("cache", 0)
    second = load_environment(watched.project.folder, "live").registry.models[SECOND_BASELINE].id
    watched.turn("qa", error_rate=1.0)
    watched.turn("content", quality=1.0)
    watched.turn("support", quality=1.0)
    watched.turn("legal", latency_ms=14_000)
    watched.turn("analyst", error_rate=1.0)
    began = watched.turn_model(second, error_rate=1.0)

    for agent, alert, what, pages in FAULTS:
        until_told(watched, agent, alert, what, began, pages=pages)
    until("the breaker says what the errors do", lambda: operated.holds_back("analyst", "SluiceBreakerOpen"))
    until("a warning says less than a page", lambda: operated.holds_back("legal", "SluiceLatencyHigh"))
    until("of quality too", lambda: operated.holds_back("content", "SluiceQualityDrop"))
    assert "qa" not in {agent for agent, _ in watched.pager.paged()}, "warnings wake nobody"

    held = time.monotonic()
    ran = watched.project.sluice("rollback", "live", "support", "--reason", "worse", "--by", "ada", "--prove-for", "0")
    assert ran.exit_code == 0, ran.stderr
    until_told(watched, "support", "SluiceOverrideActive", "somebody sends it back", held, pages=True)
    until("who is sent back is worth no page", lambda: operated.holds_back("support", "SluiceQualityDropCritical"))


def test_every_end_is_told(watched: Watched, faster: None) -> None:
    watched.turn_back()
    watched.scale("cache", 1)
    watched.resume(("support",), "mended")
    mended = time.monotonic()

    for agent, alert, _, _ in FAULTS:
        if alert != "SluiceGuardAbsent":
            until_over(watched, agent, alert, mended)
    until_over(watched, "support", "SluiceOverrideActive", mended)
    for agent in ("analyst", "legal", "content", "support"):
        until_resolved(watched, agent)

    watched.scale("sluice-guard", 1)
    until_over(watched, "all", "SluiceGuardAbsent", time.monotonic())
    until_resolved(watched, "all")


def test_a_gateway_that_is_gone_is_paged(watched: Watched, faster: None) -> None:
    watched.scale("gateway", 0)
    until_told(watched, "all", "SluiceGatewayAbsent", "no gateway is left", time.monotonic(), pages=True)
    watched.scale("gateway", 1)
    until_over(watched, "all", "SluiceGatewayAbsent", time.monotonic())
    until_resolved(watched, "all")


def test_operations_is_drawn_from_what_was_seen(
    watched: Watched, faster: None, settings: Settings, pytestconfig: pytest.Config
) -> None:
    (gateways,) = [one for one in OPERATIONS_DASHBOARD.panels if one.panel is Panel.GATEWAY]
    until("it is seen for half a minute", lambda: watched.now("count_over_time(sluice_requests_in_flight[30s]) > 9"))
    ended = datetime.now(UTC)
    drawn = traces(watched.prometheus, gateways, settings.namespace, ended - DRAWN, ended)

    assert [trace.label for trace in drawn if trace.points] == ["pods", "requests in flight"]
    assert {point.value for point in drawn[0].points} >= {1.0}
    if pytestconfig.getoption("--refresh-expected"):
        LIVE_PICTURES.mkdir(exist_ok=True)
        (LIVE_PICTURES / "operations-gateway.svg").write_text(picture(gateways, drawn, ended))


def test_every_query_of_every_panel_is_answered(watched: Watched, faster: None, settings: Settings) -> None:
    asked = queries(settings.namespace, "qa", rate_interval="20s")
    unanswered = set(asked)

    def are_answered() -> bool:
        ended = datetime.now(UTC)
        for query in sorted(unanswered, key=lambda one: one.expression):
            found = watched.prometheus.each_over(query.expression, ended - DRAWN, ended, timedelta(seconds=5))
            if any(math.isfinite(value) for _, samples in found for _, value in samples):
                unanswered.discard(query)
        return names() <= EMPTY_HERE.keys()

    def names() -> set[tuple[str, str]]:
        return {(query.panel.name, query.legend) for query in unanswered}

    try:
        until("every panel is answered", are_answered)
    finally:
        watched.say(
            f"{len(asked) - len(unanswered)} of {len(asked)} queries of panels answered; not: {names() or None}"
        )


def until_told(watched: Watched, agent: str, alert: str, what: str, since: float, *, pages: bool) -> None:
    """Wait until Slack has heard of an alert, and PagerDuty where it is to wake somebody; note how long it took."""
    until(f"{agent}: {what}: {alert} is told", lambda: watched.pager.told(agent, alert))
    if pages:
        until(f"{agent}: {alert} is paged", lambda: (agent, alert) in watched.pager.paged())
    seconds = watched.pager.told(agent, alert)[0] - since
    watched.say(f"{agent}: {what}: {alert} told after {seconds:.1f} s, for {seconds * TIMES / 60:.1f} min")


def until_over(watched: Watched, agent: str, alert: str, since: float) -> None:
    """Wait until Slack has heard that an alert is over, and fires no more; note how long it took."""
    until(f"{agent}: {alert} fires no more", lambda: (alert, agent) not in watched.firing())
    until(
        f"{agent}: the end of {alert} is told",
        lambda: max(watched.pager.told(agent, alert, over=True), default=0) > since,
    )
    seconds = watched.pager.told(agent, alert, over=True)[-1] - since
    watched.say(f"{agent}: {alert} over after {seconds:.1f} s, for {seconds * TIMES / 60:.1f} min")


def until_resolved(watched: Watched, agent: str) -> None:
    until(f"the page of {agent} is resolved", lambda: watched.pager.resolved(agent))
