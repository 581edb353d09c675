"""Load brings pods and its end takes them away, by the real metrics-server and prometheus-adapter: no call fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.live.load import Load
from tests.live.load_metrics import metrics_served
from tests.live.pod_numbers import every_number_of_pods
from tests.live.project import AGENTS, NAMESPACE, STUB, URL, LiveProject, edit
from tests.live.shown import Say

pytestmark = pytest.mark.operators

LEAST, MOST = 1, 3
LOADED_PERCENT = 30
"""A third of this is what a gateway's pod takes that is scraped and probed, and asked nothing."""
IN_FLIGHT, CPU = "sluice_requests_in_flight", "cpu"
_AUTOSCALER = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/gateway"
_ANSWERED = re.compile(r"(?m)^sluice_request_duration_seconds_count\{.*\} (\S+)$")
# An autoscaler looks every 15 seconds, at metrics of a minute at most; a pod takes 15 to go where nothing is under way.
_PATIENCE_SECONDS = 240


@pytest.fixture(scope="module")
def metrics(project: LiveProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with metrics_served(project, tmp_path_factory.mktemp("metrics")):
        yield


@pytest.fixture
def serving(metrics: None, fresh_project: LiveProject) -> Iterator[LiveProject]:
    """The environment before it has an autoscaler; the provider answers as usual again afterwards."""
    fresh_project.roll_out(dict.fromkeys(AGENTS, 50))
    yield fresh_project
    latency(fresh_project, 50)


def scale(project: LiveProject, autoscaling: str, *, cpu: str) -> None:
    """Bring the environment up with an autoscaler that has looked at all it asks for, and sees no load."""
    own = f"    replicas: {LEAST}\n    resources: {{requests: {{cpu: {cpu}}}}}\n    autoscaling: {{{autoscaling}}}\n"
    edit(project.folder / "Pulumi.live.yaml", r"    replicas: \d+\n", own)
    project.up()
    # Five quiet minutes and a pod a minute are what is rendered, for everybody; a test has no time for them.
    quick = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}
    project.cluster.merge(_AUTOSCALER, {"spec": {"behavior": {"scaleDown": quick}}})
    asked = {CPU} | ({IN_FLIGHT} if "requests_in_flight" in autoscaling else set())
    project.wait_for(lambda: seen(project).keys() == asked and ready(project) == LEAST, seconds=_PATIENCE_SECONDS)


def seen(project: LiveProject) -> dict[str, str]:
    """What the autoscaler saw when it last looked, by the name of the metric: of a pod, on average."""
    found = {}
    for one in project.cluster.get(_AUTOSCALER).get("status", {}).get("currentMetrics") or ():
        own = one.get("pods") or one.get("resource") or {}
        current = own.get("current", {})
        if "averageUtilization" in current:
            found[own["name"]] = f"{current['averageUtilization']} %"
        elif "metric" in own and "averageValue" in current:
            found[own["metric"]["name"]] = current["averageValue"]
    return found


def is_calm(project: LiveProject) -> bool:
    """Whether the CPU that it takes to start is not seen any more, nor a pod that this may have brought."""
    cpu = seen(project).get(CPU)
    return cpu is not None and int(cpu.split()[0]) < LOADED_PERCENT and ready(project) == LEAST == len(project.pods())


def limited(project: LiveProject) -> str:
    """Why the autoscaler wants no other number than the one that it wants, where its bounds are the reason."""
    said = project.cluster.get(_AUTOSCALER)["status"].get("conditions", ())
    return next((one["reason"] for one in said if one["type"] == "ScalingLimited" and one["status"] == "True"), "")


def reasons(project: LiveProject) -> set[str]:
    """Why the autoscaler has set another number of pods so far, in its own words."""
    events = project.cluster.items(
        f"/api/v1/namespaces/{NAMESPACE}/events", fieldSelector="reason=SuccessfulRescale,involvedObject.name=gateway"
    )
    return {one["message"].partition("reason: ")[2] for one in events}


def ready(project: LiveProject) -> int:
    found = project.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/gateway")
    return int(found["status"].get("readyReplicas", 0))


def every_pod_answers(project: LiveProject) -> bool:
    """Ask over new connections, and return whether each pod has answered somebody by now."""
    project.arms("qa", [f"newcomer-{number}" for number in range(8)])
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    pages = [project.cluster.text(f"{path}/{pod}:9090/proxy/metrics") for pod in project.pods()]
    return all(sum(map(float, _ANSWERED.findall(page))) > 0 for page in pages)


def latency(project: LiveProject, milliseconds: int) -> None:
    """Have the provider take so long for every answer from now on."""
    answered = project.cluster.ask("PUT", f"{STUB}/default", {"latency_ms": milliseconds})
    assert answered.status == 200, answered.body


def test_requests_in_flight_bring_pods_up_to_the_most_and_their_end_takes_them_away(
    serving: LiveProject, say: Say
) -> None:
    project = serving
    scale(project, f"max_replicas: {MOST}, requests_in_flight: 4", cpu="300m")
    say(f"before the load it sees {seen(project)}")
    latency(project, 2000)

    with every_number_of_pods(project) as numbers:
        # Ten calls a second that take two seconds each are twenty in flight: five pods' worth, and three may be.
        with Load(URL, AGENTS, calls_a_second=10) as load:
            second = project.wait_for(lambda: ready(project) > LEAST, seconds=_PATIENCE_SECONDS)
            third = second + project.wait_for(lambda: ready(project) == MOST, seconds=_PATIENCE_SECONDS)
            project.wait_for(lambda: every_pod_answers(project), seconds=60)
            project.wait_for(lambda: limited(project) == "TooManyReplicas", seconds=60)
            say(f"a second pod is ready after {second:.0f} s of load, a third after {third:.0f} s: {seen(project)}")
        latency(project, 50)
        with Load(URL, AGENTS, calls_a_second=3) as little:
            project.wait_for(lambda: len(project.pods()) == LEAST == ready(project), seconds=_PATIENCE_SECONDS)
        say(f"back to {LEAST} after {little.seconds:.0f} s with little load: {seen(project)}")

    say(f"{len(load.calls)} calls and {len(little.calls)}: {load.counts()}; {little.counts()}; pods: {numbers}")
    assert [str(call) for call in (*load.failed, *little.failed)] == []
    assert set(numbers) == set(map(str, range(LEAST, MOST + 1)))
    assert reasons(project) >= {f"pods metric {IN_FLIGHT} above target", "All metrics below target"}


def test_cpu_brings_a_pod_where_nobody_counts_requests_in_flight(serving: LiveProject, say: Say) -> None:
    project = serving
    scale(project, f"max_replicas: 2, cpu_percent: {LOADED_PERCENT}", cpu="200m")
    project.wait_for(lambda: is_calm(project), seconds=_PATIENCE_SECONDS)
    say(f"before the load it sees {seen(project)}")

    with Load(URL, AGENTS, calls_a_second=60) as load:
        took = project.wait_for(lambda: ready(project) == 2, seconds=_PATIENCE_SECONDS)
        say(f"a second pod is ready after {took:.0f} s of load: {seen(project)}")
        project.wait_for(lambda: every_pod_answers(project), seconds=60)

    say(f"{len(load.calls)} calls: {load.counts()}")
    assert [str(call) for call in load.failed] == []
    assert "cpu resource utilization (percentage of request) above target" in reasons(project)
