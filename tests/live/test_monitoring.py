"""What is measured, judged and told in a cluster, with a real Prometheus in a pod of the environment's own.

The stub provider turns candidates bad under a steady load: in errors, in quality, in latency. The guard sees it through
Prometheus and sends them back; Prometheus tells Alertmanager by the rendered rules, which pages by the rendered routes.
The windows and waits of rules and routes are as everywhere. What each stage took is printed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from sluice.deploy.prometheus_access import prometheus_of
from sluice.local.cluster.layout import NODE_ADDRESS
from sluice.local.folders import cache_folder
from sluice.local.monitoring_programs import ensure_monitoring_programs
from sluice.progress import Progress
from sluice.registry import load_environment
from sluice.rollout.guard.loop import CannotSee
from sluice.rollout.guard.prometheus import Prometheus
from tests.live.load import Call, Load
from tests.live.pager import Pager, paging
from tests.live.project import AGENTS, NAMESPACE, URL, LiveProject
from tests.live.test_failures import edit
from tests.live.test_guard import config_map, leader

pytestmark = pytest.mark.operators

GUARDED = ("qa", "content", "legal", "support")
CALLS_A_SECOND = 20.0
HEALTHY_SECONDS = 75
STUB = f"/api/v1/namespaces/{NAMESPACE}/services/stub-provider:http/proxy/control"
USUAL = {"latency_ms": 40, "latency_jitter_ms": 10, "chunk_delay_ms": 2}
NO_IMAGE = f"@sha256:{'0' * 64}"


@dataclass
class Watched:
    """The environment under load, with a guard, its Prometheus, and a pager."""

    project: LiveProject
    prometheus: Prometheus
    load: Load
    pager: Pager
    lines: list[str] = field(default_factory=list)
    bad_since: dict[str, float] = field(default_factory=dict)
    """When each candidate turned bad, and when the guard held it, by agent and `time.monotonic`."""
    held_since: dict[str, float] = field(default_factory=dict)

    def turn(self, agent: str, **dials: object) -> float:
        """Have the stub answer for the agent's candidate otherwise, and return when it began."""
        body = json.dumps({**USUAL, **dials})
        model = self.models[agent]
        ran = self.project.kubectl("replace", "--raw", f"{STUB}/models/{model}", "--filename", "-", stdin=body)
        assert ran.exit_code == 0, ran.stderr
        return time.monotonic()

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

    def ended(self, agent: str = "", since: float = 0.0) -> list[Call]:
        """The calls that began since then and have ended, of one agent or of all."""
        return [
            call for call in list(self.load.calls) if call.began >= since and call.seconds and agent in ("", call.agent)
        ]

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def pager(project: LiveProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pager]:
    file = tmp_path_factory.mktemp("pager") / "alertmanager.yaml"
    ran = project.sluice("render", "live", "--out", str(file.parent / "out"), "--alertmanager", str(file))
    assert ran.exit_code == 0, ran.stderr
    with paging(ensure_monitoring_programs(cache_folder(), Progress(quiet=True)), file, NODE_ADDRESS) as one:
        yield one


@pytest.fixture(scope="module")
def watched(project: LiveProject, pager: Pager, capfd_disabled: None) -> Iterator[Watched]:
    settings = project.folder / "Pulumi.live.yaml"
    before = settings.read_text()
    embedded = f"{{image: 'sluice.local/prometheus{NO_IMAGE}', alertmanager: '{pager.alertmanager}'}}"
    wanted = f"  sluice:prometheus: {{embedded: {embedded}}}\n  sluice:guard: {{image: 'sluice.local/guard{NO_IMAGE}'}}"
    edit(settings, r"  sluice:cache:", f"{wanted}\n  sluice:cache:")
    project.roll_out(dict.fromkeys(AGENTS, 0) | dict.fromkeys(GUARDED, 50))
    project.up()
    project.wait_for(lambda: bool(leader(project)), seconds=60)
    prometheus = prometheus_of(project.cluster, load_environment(project.folder, "live").settings)
    with Load(URL, GUARDED, calls_a_second=CALLS_A_SECOND) as load:
        one = Watched(project, prometheus, load, pager)
        project.wait_for(lambda: len(one.now("up == 1")) == 2, seconds=90)
        yield one
    one.say(f"in all {len(load.calls)} calls, {len(load.failed)} failed: {load.counts()}")
    print("\n" + "\n".join(one.lines))
    settings.write_text(before)
    project.kubectl("delete", "--raw", f"{STUB}/models")
    project.end_guard()
    project.kubectl("rollout", "restart", "deployment/cache")  # it keeps the worst answers, for other tests to find
    project.kubectl("rollout", "status", "deployment/cache", "--timeout=55s")


@pytest.fixture(scope="module")
def capfd_disabled(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is printed is for whoever runs this: the seconds of each stage."""
    manager = request.config.pluginmanager.getplugin("capturemanager")
    assert manager is not None
    with manager.global_and_fixture_disabled():
        yield


def test_while_all_is_well_nobody_is_sent_back_and_nobody_is_told(watched: Watched) -> None:
    time.sleep(HEALTHY_SECONDS)

    assert watched.now("max(sluice_guard_prometheus_up)") == [({}, 1.0)]
    judged = {labels["agent"] for labels, _ in watched.now("sluice_guard_verdict == 1")}
    assert judged == set(GUARDED)
    assert watched.held() == {}
    assert watched.firing() == set()
    assert watched.pager.messages == [], watched.pager.said()
    counted = {labels["arm"]: value for labels, value in watched.now("sum by (arm) (sluice:answers:increase5m)")}
    assert min(counted["candidate"], counted["baseline"]) > 100
    calls = watched.ended()
    assert [str(call) for call in calls if call.fault] == []
    watched.say(f"{HEALTHY_SECONDS} s of health: {len(calls)} calls, none failed, nobody told")


@pytest.mark.parametrize(
    ("agent", "dials", "what"),
    [
        ("qa", {"error_rate": 1.0}, "every answer of the candidate is an error"),
        ("content", {"quality": 1.0}, "its answers are worth 1 of 10"),
        ("legal", {"latency_ms": 14_000}, "its answers take 14 s"),
    ],
)
def test_a_candidate_that_turns_bad_is_sent_back(
    watched: Watched, agent: str, dials: dict[str, object], what: str
) -> None:
    wall = time.time()
    began = watched.bad_since[agent] = watched.turn(agent, **dials)
    newest = "min(timestamp(sluice_requests_in_flight))"
    watched.project.wait_for(lambda: watched.now(newest)[0][1] > wall, seconds=60)
    scraped = time.monotonic()
    watched.project.wait_for(lambda: bool({agent, "all"} & watched.held().keys()), seconds=180)
    held = watched.held_since[agent] = time.monotonic()
    users = [f"{agent}-user-{number}" for number in range(30)]
    # Whoever asked before waits for the bad candidate; who asks now is answered by the baseline.
    watched.project.wait_for(lambda: set(watched.project.arms(agent, users).values()) == {"baseline"}, seconds=10)
    served = time.monotonic()

    entry = json.loads(watched.held().get(agent) or watched.held()["all"])
    calls = watched.ended(agent, began)
    failed = [str(call) for call in calls if call.fault]
    watched.say(
        f"{agent}: {what}: scraped after {scraped - began:.1f} s, override {held - scraped:.1f} s later, "
        f"100 % baseline {served - held:.1f} s later, {served - began:.1f} s in all; "
        f"{len(calls)} calls, {len(failed)} failed: {entry['reason']}"
    )
    assert (entry["weight"], entry["by"]) == (0, "guard")
    assert failed == []
    assert watched.project.pods(), "the pods that answered are the same"


def test_somebody_is_paged_and_told_when_it_is_over(watched: Watched) -> None:
    def paged(action: str) -> list[float]:
        return [at for at, one in watched.pager.pages(action) if "qa" in json.dumps(one)]

    watched.project.wait_for(lambda: bool(paged("trigger")), seconds=150)
    at = paged("trigger")[0]
    watched.say(
        f"qa: somebody paged {at - watched.bad_since['qa']:.1f} s after the fault began, "
        f"{at - watched.held_since['qa']:.1f} s after the override"
    )
    (first, *_) = [one for _, one in watched.pager.pages("trigger") if "qa" in json.dumps(one)]
    assert first["payload"]["severity"] == "critical"
    assert "override" in json.dumps(first)
    assert first["routing_key"] == "made-routing-key"

    watched.turn("qa")
    lifted = time.monotonic()
    held = [name for name in ("qa", "all") if name in watched.held()]
    for name in held:
        ran = watched.project.sluice(
            "resume", "live", *([] if name == "all" else [name]), "--reason", "mended", "--force"
        )
        assert ran.exit_code == 0, ran.stderr
    watched.project.wait_for(lambda: bool(paged("resolve")), seconds=240)
    watched.say(f"qa: resolved {paged('resolve')[-1] - lifted:.1f} s after its override was lifted")


def test_without_prometheus_nothing_moves(watched: Watched) -> None:
    before = watched.held()
    assert watched.project.kubectl("scale", "deployment", "prometheus", "--replicas", "0").exit_code == 0

    def is_gone() -> bool:
        try:
            watched.now("up")
        except CannotSee:
            return True
        return False

    watched.project.wait_for(is_gone, seconds=60)
    watched.turn("support", error_rate=1.0)
    time.sleep(45)

    assert watched.held() == before
    looked = watched.project.sluice("guard", "live")
    assert looked.exit_code == 3, looked.stdout
    assert "stage measure" in looked.stderr
    watched.say("Prometheus gone for 45 s while support's candidate fails: nothing moved")
