"""What is measured, judged and told in a cluster, with a real Prometheus in a pod of the environment's own.

The stub provider turns candidates bad under a steady load on two pods: in errors, in quality, in latency. The guard
sees it through Prometheus and sends them back; Prometheus tells Alertmanager by the rendered rules, which pages by the
rendered routes. The windows and waits of rules and routes are as everywhere. What each stage took is printed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sluice.deploy.pods import gateway_pods, is_ready, name_of
from sluice.deploy.prometheus_access import prometheus_of
from sluice.local.cluster.layout import NODE_ADDRESS
from sluice.local.folders import cache_folder
from sluice.local.monitoring_programs import ensure_monitoring_programs
from sluice.progress import Progress
from sluice.registry import load_environment
from sluice.rollout.guard.loop import CannotSee
from tests.live.guards import leader
from tests.live.load import Call, Load
from tests.live.pager import Pager, paging
from tests.live.project import AGENTS, NAMESPACE, STUB, LiveProject, edit
from tests.live.shown import shown
from tests.live.stages import Stages, goes_to_candidate, last_of_candidate
from tests.live.watched import Watched

pytestmark = pytest.mark.operators

GUARDED = ("qa", "content", "legal", "support")
CALLS_A_SECOND = 20.0
REPLICAS = 2
HEALTHY_SECONDS = 75
NO_IMAGE = f"@sha256:{'0' * 64}"


@dataclass
class Guarded(Watched):
    """The same with a guard, whose Prometheus is in a pod of the environment's own."""

    bad_since: dict[str, float] = field(default_factory=dict)
    """When each candidate turned bad, and when the guard held it, by agent and `time.monotonic`."""
    held_since: dict[str, float] = field(default_factory=dict)

    def override_set_at(self, agent: str) -> float:
        """When the guard had set the agent's override, or that of all, by its own log; in seconds since 1970."""
        log = self.project.kubectl("logs", "--selector", "app.kubernetes.io/name=sluice-guard", "--tail=-1").stdout
        said = [json.loads(line) for line in log.splitlines()]
        lines = [one for one in said if one["message"] == "rolled back" and one["agent"] in (agent, "all")]
        return datetime.fromisoformat(lines[-1]["at"]).timestamp()

    def first_scrape_since(self, moment: float) -> float:
        """When a gateway was first scraped after a moment, both in seconds since 1970."""
        begin = datetime.fromtimestamp(moment, UTC)
        query, step = "timestamp(sluice_requests_in_flight)", timedelta(seconds=1)
        found = self.prometheus.each_over(query, begin, begin + timedelta(seconds=60), step)
        return min(at for _, samples in found for _, at in samples if at >= moment)


@pytest.fixture(scope="module")
def pager(project: LiveProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pager]:
    file = tmp_path_factory.mktemp("pager") / "alertmanager.yaml"
    ran = project.sluice("render", "live", "--out", str(file.parent / "out"), "--alertmanager", str(file))
    assert ran.exit_code == 0, ran.stderr
    with paging(ensure_monitoring_programs(cache_folder(), Progress(quiet=True)), file, NODE_ADDRESS) as one:
        yield one


@pytest.fixture(scope="module")
def watched(project: LiveProject, pager: Pager, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    settings = project.folder / "Pulumi.live.yaml"
    before = settings.read_text()
    embedded = f"{{image: 'sluice.local/prometheus{NO_IMAGE}', alertmanager: '{pager.alertmanager}'}}"
    wanted = f"  sluice:prometheus: {{embedded: {embedded}}}\n  sluice:guard: {{image: 'sluice.local/guard{NO_IMAGE}'}}"
    edit(settings, r"  sluice:cache:", f"{wanted}\n  sluice:cache:")
    edit(settings, r"replicas: \d+", f"replicas: {REPLICAS}")
    project.roll_out(dict.fromkeys(AGENTS, 0) | dict.fromkeys(GUARDED, 50))
    project.up()
    project.wait_for(lambda: bool(leader(project)), seconds=60)
    prometheus = prometheus_of(project.cluster, load_environment(project.folder, "live").settings)
    project.wait_for(lambda: len(addresses(project)) == REPLICAS)
    with ExitStack() as stack:
        each = CALLS_A_SECOND / REPLICAS
        loads = {
            pod: stack.enter_context(Load(url, GUARDED, calls_a_second=each)) for pod, url in addresses(project).items()
        }
        one = Guarded(project, prometheus, loads, pager)
        project.wait_for(lambda: len(one.now("up == 1")) == REPLICAS + 1, seconds=90)
        yield one
    for pod, load in loads.items():
        one.say(f"{pod}: {len(load.calls)} calls, {len(load.failed)} failed: {load.counts()}")
    with shown(request.config):
        print("\n" + "\n".join(one.lines))
    settings.write_text(before)
    project.kubectl("delete", "--raw", f"{STUB}/models")
    project.end_guard()
    project.kubectl("rollout", "restart", "deployment/cache")  # it keeps the worst answers, for other tests to find
    project.kubectl("rollout", "status", "deployment/cache", "--timeout=55s")


def test_while_all_is_well_nobody_is_sent_back_and_nobody_is_told(watched: Guarded) -> None:
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


def addresses(project: LiveProject) -> dict[str, str]:
    """Where each of the gateway's pods that are ready answers, by its name."""
    found = {}
    for pod in filter(is_ready, gateway_pods(project.cluster, NAMESPACE)):
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        found[name_of(pod)] = f"http://{pod['status']['podIP']}:{ports['http']}"
    return found


@pytest.mark.parametrize(
    ("agent", "dials", "is_bad", "what"),
    [
        (
            "qa",
            {"error_rate": 1.0},
            lambda call: call.outcome == "fallback",
            "every answer of the candidate is an error",
        ),
        ("content", {"quality": 1.0}, goes_to_candidate, "its answers are worth 1 of 10"),
        ("legal", {"latency_ms": 14_000}, lambda call: call.seconds > 10, "its answers take 14 s"),
    ],
)
def test_a_candidate_that_turns_bad_is_sent_back(
    watched: Guarded, agent: str, dials: dict[str, object], is_bad: Callable[[Call], bool], what: str
) -> None:
    since_1970 = time.time() - time.monotonic()
    turned = watched.bad_since[agent] = watched.turn(agent, **dials)
    watched.project.wait_for(lambda: bool({agent, "all"} & watched.held().keys()), seconds=240)
    held = watched.held_since[agent] = time.monotonic()

    def is_over() -> bool:
        """Whether whoever had asked when it was held is answered, and of late the baseline answers on each pod."""
        asked = [call for load in watched.loads.values() for call in list(load.calls) if call.agent == agent]
        late = watched.on_each_pod(agent, held + 2).values()
        is_answered = all(call.seconds for call in asked if call.began < held + 2)
        return is_answered and all(len(calls) >= 4 and not any(map(goes_to_candidate, calls)) for calls in late)

    watched.project.wait_for(is_over, seconds=60)
    bad = [call for call in watched.ended(agent, turned) if is_bad(call)]
    first = min(call.began + call.seconds for call in bad) + since_1970
    entry = json.loads(watched.held().get(agent) or watched.held()["all"])
    served = max(last_of_candidate(watched.on_each_pod(agent, turned)).values()) + since_1970
    stages = Stages(
        first_bad_answer=first,
        scraped=watched.first_scrape_since(first),
        verdict=datetime.fromisoformat(entry["at"]).timestamp(),
        override=watched.override_set_at(agent),
        served=served,
    )
    calls = watched.ended(agent, turned)
    failed = [str(call) for call in calls if call.fault]
    fell_back = sum(call.outcome == "fallback" for call in calls)
    watched.say(
        f"{agent}: {what}: {stages}; {len(calls)} calls, {len(failed)} failed, {fell_back} answered by the baseline in "
        f"the candidate's place: {entry['reason']}"
    )
    assert (entry["weight"], entry["by"]) == (0, "guard")
    assert failed == []
    assert stages.served - stages.override < 5
    assert stages.seconds < (60 if agent == "qa" else 180)
    assert set(addresses(watched.project)) == set(watched.loads), "the pods that answered are the same"


def test_somebody_is_paged_and_told_when_it_is_over(watched: Guarded) -> None:
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

    for agent in GUARDED:  # what held all held the others too: one that is still bad would be sent back anew
        watched.turn(agent)
    lifted = time.monotonic()
    watched.resume(("qa", "all"), "mended")
    watched.project.wait_for(lambda: bool(paged("resolve")), seconds=240)
    watched.say(f"qa: resolved {paged('resolve')[-1] - lifted:.1f} s after its override was lifted")


def test_without_prometheus_nothing_moves(watched: Guarded) -> None:
    before = watched.held()
    watched.scale("prometheus", 0)

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
